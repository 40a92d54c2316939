import type { Lineage, MetadataValue } from '../../../schemas/document.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { Sqlite, SqlValue, Statement } from '../../sqlite.ts';
import type { AttachVectors, RemoveDocument, ReplaceDocument, TouchDocument } from '../document-store.ts';
import { comparable, filterValues } from '../filter-value.ts';
import { isName } from '../is-name.ts';
import { spaceIdeographs } from '../word-borders.ts';
import { passageNumber, type DocumentNumber } from './schema.ts';
import { encodeText } from './stored-text.ts';
import { bytesOf } from './stored-vector.ts';
import { VectorChanges } from './vector-changes.ts';

/** The part of a document that no condition looks at, as JSON: it keeps every string as it is. */
export interface Shown {
  readonly table: string;
  readonly key: string;
  readonly acl: readonly string[] | null;
  readonly title: string;
  readonly metadata: { readonly [name: string]: MetadataValue };
  readonly lineage: Lineage;
}

/** What a write has to know of the stored version. */
export interface Head {
  readonly number: DocumentNumber;
  readonly version: SourceVersion;
  readonly deleted: bigint;
  readonly source: string;
  readonly tenant: string;
  readonly passages: bigint;
  readonly vectors: bigint;
  readonly content_hash: string;
}

const NO_LINEAGE: Lineage = { chunker: '', piiPolicy: '', embedder: '' };
const HEAD = 'number, version, deleted, source, tenant, passages, vectors, content_hash';

/**
 * Puts documents into their tables and takes them out. Knows nothing of versions: whoever calls has compared them.
 * The full-text rows are written by `flush` before the transaction ends: FTS5 starts a new segment whenever a row number goes
 * back, so that deletes and inserts in turn cost five times as much as all deletes and then all inserts.
 */
export class DocumentRows {
  readonly #head: Statement<Head>;
  readonly #below: Statement<Head & { readonly id: string }>;
  readonly #insertDocument: Statement<object>;
  readonly #touch: Statement<object>;
  readonly #addVectors: Statement<object>;
  readonly #insertText: Statement<object>;
  readonly #insertPassage: Statement<object>;
  readonly #insertVector: Statement<object>;
  readonly #insertWords: Statement<object>;
  readonly #insertReader: Statement<object>;
  readonly #insertField: Statement<object>;
  readonly #vectorKey: Statement<{ vector_key: string; has_vector: bigint }>;
  readonly #deleteWords: Statement<object>;
  readonly #deleteByNumber: readonly Statement<object>[];
  readonly #deleteByPassage: readonly Statement<object>[];
  readonly #vectorChanges: VectorChanges;
  readonly #vectorsChanged = new Set<DocumentNumber>();
  readonly #wordsToDelete: bigint[] = [];
  readonly #wordsToInsert = new Map<bigint, readonly [title: string, headings: string, text: string]>();

  constructor(db: Sqlite) {
    this.#vectorChanges = new VectorChanges(db);
    this.#head = db.prepare(`SELECT ${HEAD} FROM documents WHERE id = ?`);
    this.#below = db.prepare(
      `SELECT id, ${HEAD} FROM documents WHERE id >= ? AND id < ? AND version < ? ORDER BY id LIMIT ?`,
    );
    this.#insertDocument = db.prepare(
      `INSERT INTO documents (id, version, deleted, source, tenant, is_open, passages, vectors, position, committed_at, indexed_at,
         content_hash, shown) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#touch = db.prepare(
      'UPDATE documents SET version = ?, position = ?, committed_at = ?, indexed_at = ? WHERE number = ?',
    );
    this.#addVectors = db.prepare('UPDATE documents SET vectors = vectors + ? WHERE number = ?');
    this.#insertText = db.prepare('INSERT INTO texts (number, is_wide, text) VALUES (?, ?, ?)');
    this.#insertPassage = db.prepare(
      'INSERT INTO passages (number, start, "end", tokens, headings, vector_key) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#insertVector = db.prepare('INSERT INTO vectors (number, vector) VALUES (?, ?)');
    this.#insertWords = db.prepare('INSERT INTO words (rowid, title, headings, text) VALUES (?, ?, ?, ?)');
    this.#insertReader = db.prepare('INSERT OR IGNORE INTO readers (document, name) VALUES (?, ?)');
    this.#insertField = db.prepare(
      'INSERT INTO fields (document, name, ordinal, text, number, time_ms) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#vectorKey = db.prepare(
      `SELECT vector_key, EXISTS (SELECT 1 FROM vectors v WHERE v.number = p.number) AS has_vector
       FROM passages p WHERE number = ?`,
    );
    this.#deleteWords = db.prepare('DELETE FROM words WHERE rowid = ?');
    this.#deleteByNumber = [
      db.prepare('DELETE FROM documents WHERE number = ?'),
      db.prepare('DELETE FROM texts WHERE number = ?'),
      db.prepare('DELETE FROM readers WHERE document = ?'),
      db.prepare('DELETE FROM fields WHERE document = ?'),
    ];
    this.#deleteByPassage = [
      db.prepare('DELETE FROM passages WHERE number BETWEEN ? AND ?'),
      db.prepare('DELETE FROM vectors WHERE number BETWEEN ? AND ?'),
    ];
  }

  head(id: string): Head | undefined {
    return this.#head.get(id);
  }

  /** Documents of an id range whose version is lower, tombstones among them. */
  below(range: readonly [string, string], version: SourceVersion, limit: number): (Head & { readonly id: string })[] {
    return this.#below.all(...range, version, limit);
  }

  insert(write: ReplaceDocument, indexedAt: number): void {
    const { document, text, passages, vectors, lineage, contentHash } = write;
    const { id, version, source, tenant, acl, title, metadata } = document;
    const shown: Shown = { table: source.table, key: source.key, acl, title, metadata, lineage };
    const number = this.#insertRow([
      id,
      version,
      0,
      source.name,
      tenant,
      acl === null ? 1 : 0,
      passages.length,
      vectors.filter((vector) => vector !== undefined).length,
      document.position,
      document.committedAt,
      indexedAt,
      contentHash,
      JSON.stringify(shown),
    ]);
    const stored = encodeText(text);
    this.#insertText.run(number, stored.isWide ? 1 : 0, stored.bytes);
    for (const { ordinal, start, end, tokens, headings, vectorKey, text: words } of passages) {
      const passage = passageNumber(number, ordinal);
      this.#insertPassage.run(passage, start, end, tokens, JSON.stringify(headings), vectorKey);
      this.#wordsToInsert.set(passage, [searchable(title), searchable(headings.join('\n')), searchable(words)]);
      const vector = vectors[ordinal];
      if (vector) this.#insertVector.run(passage, bytesOf(vector));
    }
    if (vectors.some((vector) => vector !== undefined)) this.#vectorsChanged.add(number);
    for (const group of acl ?? []) if (isName(group)) this.#insertReader.run(number, group);
    for (const [name, value] of Object.entries(metadata))
      for (const [i, field] of filterValues(value).entries())
        this.#insertField.run(number, comparable(name), i, field.text, field.number, field.timeMs);
  }

  insertTombstone(write: RemoveDocument, tenant: string, indexedAt: number): void {
    const { id, version, source, committedAt } = write;
    const shown: Shown = {
      table: source.table,
      key: source.key,
      acl: [],
      title: '',
      metadata: {},
      lineage: NO_LINEAGE,
    };
    this.#insertRow([
      id,
      version,
      1,
      source.name,
      tenant,
      0,
      0,
      0,
      '',
      committedAt,
      indexedAt,
      '',
      JSON.stringify(shown),
    ]);
  }

  touch({ number }: Head, write: TouchDocument, indexedAt: number): void {
    this.#touch.run(write.version, write.position, write.committedAt, indexedAt, number);
  }

  /** @returns how many passages got their vector; those whose key is another, or that have one, are left alone. */
  attach({ number }: Head, vectors: AttachVectors['vectors']): number {
    let added = 0;
    for (const { ordinal, vectorKey, vector } of vectors) {
      const passage = passageNumber(number, ordinal);
      const stored = this.#vectorKey.get(passage);
      if (stored?.vector_key !== vectorKey || stored.has_vector === 1n) continue;
      this.#insertVector.run(passage, bytesOf(vector));
      added++;
    }
    if (added === 0) return 0;
    this.#addVectors.run(added, number);
    this.#vectorsChanged.add(number);
    return added;
  }

  delete({ number, passages, vectors }: Head): void {
    if (vectors > 0n) this.#vectorsChanged.add(number);
    const count = Number(passages);
    for (let ordinal = 0; ordinal < count; ordinal++) {
      const passage = passageNumber(number, ordinal);
      if (!this.#wordsToInsert.delete(passage)) this.#wordsToDelete.push(passage);
    }
    if (count > 0)
      for (const statement of this.#deleteByPassage)
        statement.run(passageNumber(number, 0), passageNumber(number, count - 1));
    for (const statement of this.#deleteByNumber) statement.run(number);
  }

  /** Writes what is left to write; call it before the transaction ends. */
  flush(): void {
    for (const document of this.#vectorsChanged) this.#vectorChanges.add(document);
    for (const passage of this.#wordsToDelete) this.#deleteWords.run(passage);
    for (const [passage, texts] of this.#wordsToInsert) this.#insertWords.run(passage, ...texts);
    this.forget();
  }

  /** Drops it, when the transaction or the savepoint is undone. */
  forget(): void {
    this.#vectorsChanged.clear();
    this.#wordsToDelete.length = 0;
    this.#wordsToInsert.clear();
  }

  #insertRow(values: readonly SqlValue[]): DocumentNumber {
    return BigInt(this.#insertDocument.run(...values).lastInsertRowid);
  }
}

/** The words of a text as the tokenizer should find them. A NUL would end the text for it. */
function searchable(text: string): string {
  return spaceIdeographs(text.includes('\0') ? text.replaceAll('\0', ' ') : text);
}
