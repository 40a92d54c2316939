import type { Sqlite, Statement } from '../../sqlite.ts';
import type { DocumentNumber } from './schema.ts';

/** Changes that stay in the file; a reader that is further behind reads everything. */
const KEPT = 65_536n;
const SWEEP_EVERY = 1_024n;

/**
 * Which documents have got, or lost, vectors, in the order of their transactions: with it a reader that keeps something of every
 * vector in memory learns what it has to read again. A document number may come up again for another document.
 */
export class VectorChanges {
  readonly #add: Statement<object>;
  readonly #sweep: Statement<object>;
  readonly #since: Statement<{ sequence: bigint; document: DocumentNumber }>;
  readonly #bounds: Statement<{ oldest: bigint | null; newest: bigint | null }>;

  constructor(db: Sqlite) {
    this.#add = db.prepare('INSERT INTO vector_changes (document) VALUES (?)');
    this.#sweep = db.prepare('DELETE FROM vector_changes WHERE sequence <= ?');
    this.#since = db.prepare('SELECT sequence, document FROM vector_changes WHERE sequence > ? ORDER BY sequence');
    this.#bounds = db.prepare(
      'SELECT (SELECT min(sequence) FROM vector_changes) AS oldest, (SELECT max(sequence) FROM vector_changes) AS newest',
    );
  }

  /** Within the transaction that changes the vectors. */
  add(document: DocumentNumber): void {
    const sequence = BigInt(this.#add.run(document).lastInsertRowid);
    if (sequence % SWEEP_EVERY === 0n) this.#sweep.run(sequence - KEPT);
  }

  /** Number of the newest change; 0 when there was none. */
  newest(): bigint {
    return this.#bounds.get()?.newest ?? 0n;
  }

  /** Documents that changed after a change; undefined when some of that is no longer known. */
  since(sequence: bigint): { readonly documents: ReadonlySet<DocumentNumber>; readonly newest: bigint } | undefined {
    const bounds = this.#bounds.get();
    const newest = bounds?.newest ?? 0n;
    if (newest === sequence) return { documents: new Set(), newest };
    if (newest < sequence || (bounds?.oldest ?? 0n) > sequence + 1n) return undefined;
    const rows = this.#since.all(sequence);
    return { documents: new Set(rows.map(({ document }) => document)), newest };
  }
}
