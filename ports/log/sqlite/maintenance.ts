import { eventLoopTurn, type Clock } from '../../../runtime/clock.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import { whenFree } from '../../when-free.ts';
import { OFFSET_BITS, offsetOf, partitionOf, recordId, type PartitionNumber } from './schema.ts';
import type { Topics } from './topics.ts';

/** Records that one transaction removes; between two, the event loop runs. */
const SLICE_RECORDS = 1_000;

interface OldRow {
  readonly id: bigint;
  readonly bytes: bigint;
  readonly timestamp: bigint;
}

interface DueRow {
  readonly id: bigint;
  readonly bytes: bigint;
  readonly key: Uint8Array;
  readonly due_ms: bigint;
  readonly next: bigint;
}

/** What one slice did, and where the following one begins; undefined at the end. */
interface Slice<Cursor> {
  readonly removed: number;
  readonly cursor: Cursor | undefined;
}

/**
 * Retention and compaction.
 * - `delete` topics lose records that are older than their retention and that every group reading them has passed: a process that
 *   was off for longer than the retention must not lose what it had not read.
 * - `compact` topics lose records that a newer one of their key has replaced, and tombstones after a delay. The last record of a
 *   partition stays, so that a group that has read everything is seen to have.
 */
export class Maintenance {
  readonly #db: Sqlite;
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #leastRead: Statement<{ next: bigint | null }>;
  readonly #old: Statement<OldRow>;
  readonly #due: Statement<DueRow>;
  readonly #end: Statement<{ next: bigint }>;
  readonly #delete: Statement<object>;
  readonly #deleteExpiring: Statement<object>;
  readonly #deleteNewest: Statement<object>;
  readonly #subtract: Statement<object>;

  constructor(db: Sqlite, topics: Topics, clock: Clock) {
    this.#db = db;
    this.#topics = topics;
    this.#clock = clock;
    this.#leastRead = db.prepare(
      `SELECT min(coalesce(f.next, 0)) AS next
       FROM (SELECT name, partition FROM owners UNION SELECT name, partition FROM offsets) g
       LEFT JOIN offsets f ON f.name = g.name AND f.partition = g.partition WHERE g.partition = ?`,
    );
    this.#old = db.prepare(
      `SELECT id, timestamp, coalesce(length(value), 0) AS bytes FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`,
    );
    this.#due = db.prepare(
      `SELECT e.id, e.due_ms, r.key, coalesce(length(r.value), 0) AS bytes, p.next
       FROM expiring e JOIN records r ON r.id = e.id JOIN partitions p ON p.number = e.id >> ${OFFSET_BITS}
       WHERE e.due_ms <= ? AND (e.due_ms, e.id) > (?, ?) ORDER BY e.due_ms, e.id LIMIT ?`,
    );
    this.#end = db.prepare('SELECT next FROM partitions WHERE number = ?');
    this.#delete = db.prepare('DELETE FROM records WHERE id = ?');
    this.#deleteExpiring = db.prepare('DELETE FROM expiring WHERE id = ?');
    this.#deleteNewest = db.prepare('DELETE FROM newest WHERE key = ? AND partition = ? AND id = ?');
    this.#subtract = db.prepare('UPDATE partitions SET bytes = bytes - ? WHERE number = ?');
  }

  /** @param keep records that stay whatever their age. @returns how many records were removed. */
  async run(keep: ReadonlySet<bigint>, signal?: AbortSignal): Promise<number> {
    let removed = 0;
    for (const { compacted, retentionMs, numbers } of this.#topics.all()) {
      if (compacted || retentionMs === undefined) continue;
      const before = this.#clock.now() - retentionMs;
      for (const number of numbers)
        removed += await this.#inSlices(
          recordId(number, 0n),
          (from) => this.#removeOld(number, from, before, keep),
          signal,
        );
    }
    const now = this.#clock.now();
    removed += await this.#inSlices(
      { dueMs: -1n, id: 0n },
      ({ dueMs, id }) => {
        const rows = this.#due.all(now, dueMs, id, SLICE_RECORDS);
        return this.#compact(rows, keep);
      },
      signal,
    );
    if (removed > 0) this.#db.checkpoint();
    return removed;
  }

  async #inSlices<Cursor>(
    start: Cursor,
    slice: (from: Cursor) => Slice<Cursor>,
    signal?: AbortSignal,
  ): Promise<number> {
    let removed = 0;
    for (let cursor: Cursor | undefined = start; cursor !== undefined;) {
      signal?.throwIfAborted();
      const from: Cursor = cursor;
      const done = await whenFree(this.#clock, () => this.#db.transaction(() => slice(from)));
      removed += done.removed;
      cursor = done.cursor;
      if (cursor !== undefined && !this.#db.isMemory) await eventLoopTurn();
    }
    return removed;
  }

  #removeOld(number: PartitionNumber, from: bigint, before: number, keep: ReadonlySet<bigint>): Slice<bigint> {
    const passed = this.#leastRead.get(number)?.next ?? this.#end.get(number)?.next ?? 0n;
    const rows = this.#old.all(from, recordId(number, passed), SLICE_RECORDS);
    let removed = 0;
    let bytes = 0n;
    let cursor: bigint | undefined = rows.length === SLICE_RECORDS ? from : undefined;
    for (const row of rows) {
      if (row.timestamp >= before) {
        cursor = undefined;
        break;
      }
      if (cursor !== undefined) cursor = row.id + 1n;
      if (keep.has(row.id)) continue;
      this.#delete.run(row.id);
      bytes += row.bytes;
      removed++;
    }
    if (removed > 0) this.#subtract.run(bytes, number);
    return { removed, cursor };
  }

  #compact(rows: readonly DueRow[], keep: ReadonlySet<bigint>): Slice<{ dueMs: bigint; id: bigint }> {
    let removed = 0;
    for (const { id, key, bytes, next } of rows) {
      if (keep.has(id) || offsetOf(id) + 1n === next) continue;
      const number = partitionOf(id);
      this.#delete.run(id);
      this.#deleteExpiring.run(id);
      this.#deleteNewest.run(key, number, id);
      this.#subtract.run(bytes, number);
      removed++;
    }
    const last = rows.at(-1);
    return { removed, cursor: last && rows.length === SLICE_RECORDS ? { dueMs: last.due_ms, id: last.id } : undefined };
  }
}
