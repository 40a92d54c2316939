import type { Clock } from '../../../runtime/clock.ts';
import type { Sqlite } from '../../sqlite.ts';
import type { CommitOffset, LogReader, LogRecord, PartitionPlace, Subscription } from '../log.ts';
import type { Changes } from './changes.ts';
import { LEASE_RENEWAL_MS, type Membership } from './membership.ts';
import type { Records } from './read.ts';
import type { PartitionNumber } from './schema.ts';

/** What a reader needs of its log. */
export interface ReaderParts {
  readonly db: Sqlite;
  readonly records: Records;
  readonly changes: Changes;
  readonly clock: Clock;
  /** By partition, the offset that the next record gets, as far as this process knows. */
  ends(): ReadonlyMap<PartitionNumber, bigint>;
  numberOf(topic: string, partition: number): PartitionNumber;
}

/** A batch being filled. */
interface Batch {
  readonly records: LogRecord[];
  bytes: number;
  isFull: boolean;
}

/** One member of a group: reads its partitions in turns, from the committed offsets on. */
export class SqliteLogReader implements LogReader {
  readonly #parts: ReaderParts;
  readonly #subscription: Subscription;
  readonly #membership: Membership;
  readonly #left = new AbortController();
  readonly #onLeave: () => void;
  /** Of the partitions that are owned, the offset to read next. */
  readonly #positions = new Map<PartitionNumber, bigint>();
  #turn = 0;

  constructor(parts: ReaderParts, subscription: Subscription, membership: Membership, onLeave: () => void) {
    this.#parts = parts;
    this.#subscription = subscription;
    this.#membership = membership;
    this.#onLeave = onLeave;
  }

  async *batches(caller: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    const signal = AbortSignal.any([caller, this.#left.signal]);
    const positions = this.#positions;
    positions.clear();
    const { changes, db } = this.#parts;
    while (!signal.aborted) {
      const seen = changes.count();
      await this.#assign(positions);
      if (signal.aborted) return;
      const batch: Batch = { records: [], bytes: 0, isFull: false };
      this.#fill(batch, positions);
      if (batch.records.length === 0) {
        // Without another change, look again in time to take over from a member that died.
        await changes.changedSince(seen, signal, db.isMemory ? undefined : LEASE_RENEWAL_MS);
        continue;
      }
      await this.#linger(batch, positions, signal);
      if (!signal.aborted) yield batch.records;
    }
  }

  async commit(offsets: readonly CommitOffset[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#membership.commit(offsets);
  }

  rewind(partitions: readonly PartitionPlace[]): void {
    for (const { topic, partition } of partitions) this.#positions.delete(this.#parts.numberOf(topic, partition));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left.abort();
    this.#onLeave();
    await this.#membership.leave();
  }

  /** Brings the positions in line with the partitions that are owned now. */
  async #assign(positions: Map<PartitionNumber, bigint>): Promise<void> {
    const joins = this.#membership.joins;
    const owned = new Set(await this.#membership.refresh());
    const isNew = joins !== this.#membership.joins;
    for (const number of positions.keys()) if (isNew || !owned.has(number)) positions.delete(number);
    for (const number of owned)
      if (!positions.has(number))
        positions.set(
          number,
          this.#parts.db.guard(() => this.#membership.committed(number)),
        );
  }

  async #linger(batch: Batch, positions: Map<PartitionNumber, bigint>, signal: AbortSignal): Promise<void> {
    const { changes, clock } = this.#parts;
    const until = clock.monotonicMs() + this.#subscription.lingerMs;
    for (;;) {
      const leftMs = until - clock.monotonicMs();
      if (batch.isFull || leftMs <= 0 || signal.aborted) return;
      const seen = changes.count();
      this.#fill(batch, positions);
      if (!batch.isFull) await changes.changedSince(seen, signal, leftMs);
    }
  }

  /**
   * Takes records of every partition that has some: first an equal share each, so that one busy topic does not starve the others,
   * then whatever still fits. The partition that goes first changes from batch to batch.
   */
  #fill(batch: Batch, positions: Map<PartitionNumber, bigint>): void {
    const ends = this.#parts.ends();
    const waiting = [...positions.keys()].filter((number) => (positions.get(number) ?? 0n) < (ends.get(number) ?? 0n));
    if (waiting.length === 0) return;
    const first = this.#turn++ % waiting.length;
    const inTurn = [...waiting.slice(first), ...waiting.slice(0, first)];
    const { maxBatchRecords, maxBatchBytes } = this.#subscription;
    const share = {
      records: Math.ceil((maxBatchRecords - batch.records.length) / inTurn.length),
      bytes: (maxBatchBytes - batch.bytes) / inTurn.length,
    };
    const everything = { records: maxBatchRecords, bytes: maxBatchBytes };
    this.#parts.db.snapshot(() => {
      for (const allowance of inTurn.length === 1 ? [everything] : [share, everything])
        for (const number of inTurn) {
          if (batch.isFull) return;
          const from = positions.get(number) ?? 0n;
          const end = ends.get(number) ?? 0n;
          if (from >= end) continue; // its share was all there is
          const { next, atEnd } = this.#take(batch, number, from, allowance);
          // Past the end there may be offsets whose records compaction has removed.
          positions.set(number, atEnd && end > next ? end : next);
        }
    });
  }

  #take(batch: Batch, number: PartitionNumber, from: bigint, allowance: { records: number; bytes: number }) {
    const { maxBatchRecords, maxBatchBytes } = this.#subscription;
    const limit = Math.min(allowance.records, maxBatchRecords - batch.records.length);
    let taken = 0;
    const result = this.#parts.records.scan(number, from, limit, (record, bytes) => {
      if (batch.records.length > 0 && batch.bytes + bytes > maxBatchBytes) {
        batch.isFull = true;
        return false;
      }
      if (taken > 0 && taken + bytes > allowance.bytes) return false;
      batch.records.push(record);
      batch.bytes += bytes;
      taken += bytes;
      return true;
    });
    batch.isFull ||= batch.records.length >= maxBatchRecords || batch.bytes >= maxBatchBytes;
    return result;
  }
}
