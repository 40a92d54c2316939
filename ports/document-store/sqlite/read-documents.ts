import type { DocumentId } from '../../../schemas/ids.ts';
import { passageId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import type { DocumentSummary, Hit, ListRequest, StoredDocument, StoredPassage } from '../document-store.ts';
import type { Shown } from './document-rows.ts';
import { idRange } from './floors.ts';
import { ORDINAL_BITS, passageNumber } from './schema.ts';
import { decodeText } from './stored-text.ts';
import { floatsOf } from './stored-vector.ts';

interface DocumentRow {
  readonly number: bigint;
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly deleted: bigint;
  readonly source: string;
  readonly tenant: string;
  readonly passages: bigint;
  readonly position: string;
  readonly committed_at: bigint;
  readonly indexed_at: bigint;
  readonly content_hash: string;
  readonly shown: string;
}

interface PassageRow {
  readonly number: bigint;
  readonly start: bigint;
  readonly end: bigint;
  readonly tokens: bigint;
  readonly headings: string;
  readonly vector_key: string;
}

interface HitRow extends DocumentRow, Omit<PassageRow, 'number'> {
  readonly has_vector: bigint;
  readonly is_wide: bigint;
  readonly text: Uint8Array;
}

type SummaryRow = Pick<DocumentRow, 'id' | 'version' | 'deleted' | 'content_hash' | 'passages'>;

const ORDINAL_MASK = (1n << ORDINAL_BITS) - 1n;
const DOCUMENT =
  'number, id, version, deleted, source, tenant, passages, position, committed_at, indexed_at, content_hash, shown';

/** Reads documents, passages and vectors back. */
export class DocumentReads {
  readonly #document: Statement<DocumentRow & ({ is_wide: bigint; text: Uint8Array } | { is_wide: null; text: null })>;
  readonly #passages: Statement<PassageRow & { has_vector: bigint }>;
  readonly #vector: Statement<{ vector: Uint8Array }>;
  readonly #vectorByKey: Statement<{ vector: Uint8Array }>;
  readonly #hit: Statement<HitRow>;
  readonly #list: Statement<SummaryRow>;
  readonly #listInRange: Statement<SummaryRow>;

  constructor(db: Sqlite) {
    // A tombstone has no text.
    this.#document = db.prepare(
      `SELECT ${DOCUMENT}, is_wide, text FROM documents LEFT JOIN texts USING (number) WHERE id = ?`,
    );
    this.#passages = db.prepare(
      `SELECT number, start, "end", tokens, headings, vector_key,
         EXISTS (SELECT 1 FROM vectors v WHERE v.number = p.number) AS has_vector
       FROM passages p WHERE number BETWEEN ? AND ? ORDER BY number`,
    );
    this.#vector = db.prepare('SELECT vector FROM vectors WHERE number = ?');
    this.#vectorByKey = db.prepare(
      'SELECT v.vector FROM passages p JOIN vectors v ON v.number = p.number WHERE p.vector_key = ? LIMIT 1',
    );
    this.#hit = db.prepare(
      `SELECT d.*, p.start, p."end", p.tokens, p.headings, p.vector_key, t.is_wide,
         EXISTS (SELECT 1 FROM vectors v WHERE v.number = p.number) AS has_vector,
         substr(t.text, p.start * (1 + t.is_wide) + 1, (p."end" - p.start) * (1 + t.is_wide)) AS text
       FROM passages p JOIN documents d ON d.number = p.number >> ${ORDINAL_BITS} JOIN texts t ON t.number = d.number
       WHERE p.number = ?`,
    );
    const summary = 'SELECT id, version, deleted, content_hash, passages FROM documents';
    this.#list = db.prepare(`${summary} WHERE id > ? AND deleted <= ? ORDER BY id LIMIT ?`);
    this.#listInRange = db.prepare(
      `${summary} WHERE id > ? AND id >= ? AND id < ? AND deleted <= ? ORDER BY id LIMIT ?`,
    );
  }

  read(id: DocumentId, withVectors: boolean): StoredDocument | undefined {
    const row = this.#document.get(id);
    if (!row) return undefined;
    const text = row.text === null ? '' : decodeText(row.text, row.is_wide === 1n);
    const { table, key, acl, title, metadata, lineage } = JSON.parse(row.shown) as Shown;
    return {
      id: row.id,
      version: row.version,
      deleted: row.deleted === 1n,
      source: { name: row.source, table, key },
      tenant: row.tenant,
      acl,
      title,
      text,
      metadata,
      position: row.position,
      committedAt: Number(row.committed_at),
      indexedAt: Number(row.indexed_at),
      contentHash: row.content_hash,
      lineage,
      passages: this.#storedPassages(row, text, withVectors),
    };
  }

  vectorByKey(vectorKey: string): Float32Array | undefined {
    return floats(this.#vectorByKey.get(vectorKey));
  }

  hit(passage: bigint, score: number): Hit | undefined {
    const row = this.#hit.get(passage);
    if (!row) return undefined;
    const { table, key, title, metadata } = JSON.parse(row.shown) as Shown;
    return {
      documentId: row.id,
      version: row.version,
      source: { name: row.source, table, key },
      title,
      metadata,
      committedAt: Number(row.committed_at),
      indexedAt: Number(row.indexed_at),
      passage: passageOf(row.id, passage, row, decodeText(row.text, row.is_wide === 1n)),
      hasVector: row.has_vector === 1n,
      score,
    };
  }

  list(request: ListRequest): DocumentSummary[] {
    const { after = '', limit, source, table, includeDeleted = false } = request;
    const deleted = includeDeleted ? 1 : 0;
    const rows =
      source === undefined
        ? this.#list.all(after, deleted, limit)
        : this.#listInRange.all(after, ...idRange(source, table), deleted, limit);
    return rows.map((row) => ({
      id: row.id,
      version: row.version,
      deleted: row.deleted === 1n,
      contentHash: row.content_hash,
      passages: Number(row.passages),
    }));
  }

  #storedPassages({ number, id, passages }: DocumentRow, text: string, withVectors: boolean): StoredPassage[] {
    if (passages === 0n) return [];
    return this.#passages.all(passageNumber(number, 0), passageNumber(number, Number(ORDINAL_MASK))).map((row) => ({
      ...passageOf(id, row.number, row, text.slice(Number(row.start), Number(row.end))),
      hasVector: row.has_vector === 1n,
      vector: withVectors && row.has_vector === 1n ? floats(this.#vector.get(row.number)) : undefined,
    }));
  }
}

function passageOf(
  document: DocumentId,
  number: bigint,
  row: Omit<PassageRow, 'number'>,
  text: string,
): Hit['passage'] {
  const ordinal = Number(number & ORDINAL_MASK);
  return {
    id: passageId(document, ordinal),
    ordinal,
    start: Number(row.start),
    end: Number(row.end),
    text,
    headings: JSON.parse(row.headings) as string[],
    tokens: Number(row.tokens),
    vectorKey: row.vector_key,
  };
}

/** A copy, because the bytes need not lie at a multiple of four. */
function floats(row: { readonly vector: Uint8Array } | undefined): Float32Array | undefined {
  return row && floatsOf(row.vector);
}
