import type { Sqlite, Statement } from '../../sqlite.ts';
import type { StoreQuery } from '../document-store.ts';
import { ORDINAL_BITS, type DocumentNumber } from './schema.ts';
import { closedCondition, isScope, scopeCondition, type Condition } from './scope-conditions.ts';
import { PreparedStatements } from './prepared-statements.ts';
import type { Ranked } from './ranked.ts';
import { bytesOf, floatsOf } from './stored-vector.ts';
import { VectorChanges } from './vector-changes.ts';
import { VectorCodes, type Admitted, type Audience } from './vector-codes.ts';
import type { NumberedVector } from './vector-slots.ts';

/**
 * Candidates whose vectors are compared exactly beside the hits that are wanted, as a share of those and at least: components of 8 bits
 * change places with their neighbours only (docs/adr/0018-codes-in-memory.md).
 */
const SPARE_SHARE = 0.25;
const MIN_SPARE = 8;

interface DocumentRow {
  readonly tenant: string;
  readonly is_open: bigint;
}

interface VectorRow {
  readonly passage: bigint;
  readonly vector: Uint8Array;
}

/**
 * The passages nearest to a vector: candidates by codes in memory, which follow the file, then exactly. Tenant, ACL and filter are part of
 * the scan, so that nothing outside the scope is ever ranked (I10).
 */
export class DenseLeg {
  readonly #dimensions: number;
  readonly #changes: VectorChanges;
  readonly #document: Statement<DocumentRow>;
  readonly #vectors: Statement<VectorRow>;
  readonly #all: Statement<DocumentRow & VectorRow & { readonly document: DocumentNumber }>;
  readonly #exact: Statement<Ranked>;
  readonly #numbered: PreparedStatements<{ readonly number: bigint }>;
  #codes: VectorCodes | undefined;
  #sequence = 0n;

  constructor(db: Sqlite, dimensions: number) {
    this.#dimensions = dimensions;
    this.#numbered = new PreparedStatements(db);
    this.#changes = new VectorChanges(db);
    const ofDocument = `v.number BETWEEN d.number << ${ORDINAL_BITS} AND (d.number << ${ORDINAL_BITS}) + d.passages - 1`;
    this.#document = db.prepare('SELECT tenant, is_open FROM documents WHERE number = ? AND deleted = 0');
    this.#vectors = db.prepare(
      `SELECT v.number AS passage, v.vector FROM documents d CROSS JOIN vectors v ON ${ofDocument} WHERE d.number = ?`,
    );
    this.#all = db.prepare(
      `SELECT d.number AS document, d.tenant, d.is_open, v.number AS passage, v.vector
       FROM documents d CROSS JOIN vectors v ON ${ofDocument} WHERE d.deleted = 0 ORDER BY d.number`,
    );
    this.#exact = db.prepare(
      `SELECT v.number AS passage, 1 - vec_distance_cosine(v.vector, ?) AS score
       FROM json_each(?) c CROSS JOIN vectors v ON v.number = c.value ORDER BY score DESC, passage LIMIT ?`,
    );
  }

  /** Best first. Within a snapshot. */
  search(
    scope: StoreQuery['scope'],
    { vector, depth }: { readonly vector: Float32Array; readonly depth: number },
  ): Ranked[] {
    const candidates = this.follow().nearest(
      vector,
      this.#admitted(scope),
      depth + Math.max(MIN_SPARE, Math.ceil(SPARE_SHARE * depth)),
    );
    return this.#exact.all(bytesOf(vector), `[${candidates.join(',')}]`, depth);
  }

  /** Whether a passage has its vector. After a search, within its snapshot. */
  has(passage: bigint): boolean {
    return this.#codes?.has(Number(passage >> ORDINAL_BITS), Number(passage)) ?? false;
  }

  /** Brings the codes to the state of the snapshot that this is called in; the first time it reads every vector. */
  follow(): VectorCodes {
    const codes = this.#codes;
    const changed = codes && this.#changes.since(this.#sequence);
    if (!changed) return this.#load();
    for (const document of changed.documents) {
      const row = this.#document.get(document);
      if (row) codes.set(Number(document), audienceOf(row), this.#vectors.all(document).map(numbered));
      else codes.delete(Number(document));
    }
    this.#sequence = changed.newest;
    return codes;
  }

  #load(): VectorCodes {
    const codes = new VectorCodes(this.#dimensions);
    let document: DocumentNumber | undefined;
    let audience: Audience = { tenant: '', isOpen: false };
    let vectors: NumberedVector[] = [];
    const set = (): void => {
      if (document !== undefined) codes.set(Number(document), audience, vectors);
    };
    for (const row of this.#all.iterate()) {
      if (row.document !== document) {
        set();
        document = row.document;
        audience = audienceOf(row);
        vectors = [];
      }
      vectors.push(numbered(row));
    }
    set();
    this.#codes = codes;
    this.#sequence = this.#changes.newest();
    return codes;
  }

  /** Without a filter only the closed documents have to be asked for. */
  #admitted(scope: StoreQuery['scope']): Admitted {
    if (!isScope(scope)) return { openTo: undefined, documents: new Set() };
    const isFiltered = Object.keys(scope.filter).length > 0;
    const condition = isFiltered ? scopeCondition(scope) : closedCondition(scope.principal);
    return {
      openTo: isFiltered ? undefined : scope.principal.tenant,
      documents: condition ? this.#numbers(condition) : new Set(),
    };
  }

  #numbers({ sql, values }: Condition): ReadonlySet<number> {
    const statement = this.#numbered.prepare(`SELECT d.number FROM documents d WHERE ${sql}`);
    return new Set(statement.all(...values).map(({ number }) => Number(number)));
  }
}

function audienceOf({ tenant, is_open }: DocumentRow): Audience {
  return { tenant, isOpen: is_open === 1n };
}

function numbered({ passage, vector }: VectorRow): NumberedVector {
  return { passage: Number(passage), vector: floatsOf(vector) };
}
