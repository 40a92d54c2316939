import { eventLoopTurn, type Clock } from '../../../runtime/clock.ts';
import { LogUnavailable, RecordTooLarge } from '../../../runtime/errors.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import type { AppendRecord, Offset, RecordPlace } from '../log.ts';
import { partitionOfKey } from '../partition-of-key.ts';
import { whenFree } from '../../when-free.ts';
import { recordId, type PartitionNumber } from './schema.ts';
import type { Topics } from './topics.ts';

/** A record whose place is decided, but for the offset. */
interface Placed {
  readonly number: PartitionNumber;
  readonly partition: number;
  readonly compacted: boolean;
  readonly record: AppendRecord;
}

/** One call of `append`, waiting for its transaction. */
interface Waiting {
  readonly records: readonly Placed[];
  readonly bytes: number;
  resolve(places: readonly RecordPlace[]): void;
  reject(error: unknown): void;
}

/** What a partition is after an append. */
interface PartitionEnd {
  next: bigint;
  bytes: bigint;
}

/** A transaction takes calls up to here; it then stays below 20 ms on two cores, fsync included. */
const MAX_GROUP_RECORDS = 1_000;
const MAX_GROUP_BYTES = 4_194_304;
/** Bytes that may wait; above it callers are refused, so that a burst cannot fill the memory. */
const MAX_WAITING_BYTES = 134_217_728;
/** SQLite refuses rows of 10^9 bytes; a record is refused before it can fail the transaction of its neighbours. */
const MAX_VALUE_BYTES = 536_870_912;
/** How long a deleted key's tombstone stays readable for consumers that lag behind, ms. */
const TOMBSTONE_RETENTION_MS = 86_400_000;

/** Writes calls of `append` to the file: those that come in one turn of the event loop share one transaction, and wait for the disk together. */
export class Appender {
  readonly #db: Sqlite;
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #onAppend: (next: ReadonlyMap<PartitionNumber, bigint>) => void;
  readonly #select: Statement<PartitionEnd>;
  readonly #insert: Statement<object>;
  readonly #update: Statement<object>;
  readonly #selectNewest: Statement<{ id: bigint; version: bigint | null }>;
  readonly #upsertNewest: Statement<object>;
  readonly #insertExpiring: Statement<object>;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #draining: Promise<void> | undefined;
  readonly #flushing = new Set<Promise<void>>();

  constructor(
    db: Sqlite,
    topics: Topics,
    clock: Clock,
    onAppend: (next: ReadonlyMap<PartitionNumber, bigint>) => void,
  ) {
    this.#db = db;
    this.#topics = topics;
    this.#clock = clock;
    this.#onAppend = onAppend;
    this.#select = db.prepare('SELECT next, bytes FROM partitions WHERE number = ?');
    this.#insert = db.prepare('INSERT INTO records (id, key, value, headers, timestamp) VALUES (?, ?, ?, ?, ?)');
    this.#update = db.prepare('UPDATE partitions SET next = ?, bytes = ? WHERE number = ?');
    this.#selectNewest = db.prepare('SELECT id, version FROM newest WHERE key = ? AND partition = ?');
    this.#upsertNewest = db.prepare('INSERT OR REPLACE INTO newest (key, partition, id, version) VALUES (?, ?, ?, ?)');
    this.#insertExpiring = db.prepare('INSERT OR REPLACE INTO expiring (id, due_ms) VALUES (?, ?)');
  }

  /** @throws NotFound for an unknown topic or partition, LogUnavailable when too much waits; then nothing is appended. */
  append(records: readonly AppendRecord[]): Promise<readonly RecordPlace[]> {
    const placed = records.map((record) => this.#place(record));
    let bytes = 0;
    for (const { value } of records) bytes += value?.byteLength ?? 0;
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES)
      throw new LogUnavailable(`${this.#waitingBytes} bytes wait to be appended already`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records: placed, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when every call that was made has its answer. */
  async drained(): Promise<void> {
    while (this.#draining) await this.#draining;
    await Promise.all(this.#flushing);
  }

  #place(record: AppendRecord): Placed {
    if (record.value && record.value.byteLength > MAX_VALUE_BYTES)
      throw new RecordTooLarge(
        `the record ${record.key} of ${record.topic} has ${record.value.byteLength} bytes, more than ${MAX_VALUE_BYTES}`,
      );
    const topic = this.#topics.get(record.topic);
    const partition = record.partition ?? partitionOfKey(record.key, topic.numbers.length);
    return { number: this.#topics.number(record.topic, partition), partition, compacted: topic.compacted, record };
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // A macrotask lets every request of this turn join. In memory there is no fsync to share, and a simulation stays on microtasks.
      if (this.#db.isMemory) await Promise.resolve();
      else await eventLoopTurn();
      await this.#appendGroup(this.#takeGroup());
    }
    this.#draining = undefined;
  }

  #takeGroup(): Waiting[] {
    let records = 0;
    let bytes = 0;
    let calls = 0;
    for (const call of this.#waiting) {
      records += call.records.length;
      bytes += call.bytes;
      if (calls > 0 && (records > MAX_GROUP_RECORDS || bytes > MAX_GROUP_BYTES)) break;
      calls++;
    }
    return this.#waiting.splice(0, calls);
  }

  async #appendGroup(calls: readonly Waiting[]): Promise<void> {
    try {
      const ends = new Map<PartitionNumber, PartitionEnd>();
      const places = await whenFree(this.#clock, () =>
        this.#db.transaction(() => {
          ends.clear();
          const written = calls.map((call) => call.records.map((placed) => this.#write(placed, ends)));
          for (const [number, { next, bytes }] of ends) this.#update.run(next, bytes, number);
          return written;
        }),
      );
      this.#onAppend(new Map(Array.from(ends, ([number, { next }]) => [number, next])));
      const flushing = this.#settle(calls, places).finally(() => this.#flushing.delete(flushing));
      this.#flushing.add(flushing);
    } catch (error) {
      for (const call of calls) this.#fail(call, error);
    }
  }

  /** Answers the calls once their records are durable. Readers have them before: what they make of them is made again if they are lost. */
  async #settle(calls: readonly Waiting[], places: readonly (readonly RecordPlace[])[]): Promise<void> {
    try {
      await this.#db.durable();
      for (const [i, call] of calls.entries()) {
        this.#waitingBytes -= call.bytes;
        call.resolve(places[i] ?? []);
      }
    } catch (error) {
      for (const call of calls) this.#fail(call, error);
    }
  }

  #fail(call: Waiting, error: unknown): void {
    this.#waitingBytes -= call.bytes;
    call.reject(error);
  }

  #write({ number, partition, compacted, record }: Placed, ends: Map<PartitionNumber, PartitionEnd>): RecordPlace {
    let end = ends.get(number);
    if (!end) ends.set(number, (end = { ...(this.#select.get(number) ?? { next: 0n, bytes: 0n }) }));
    const offset = end.next++ as Offset;
    end.bytes += BigInt(record.value?.byteLength ?? 0);
    const id = recordId(number, offset);
    const key = Buffer.from(record.key);
    const now = this.#clock.now();
    this.#insert.run(id, key, record.value, headersText(record.headers), now);
    if (compacted) this.#supersede(key, number, id, record, now);
    return { topic: record.topic, partition, offset };
  }

  #supersede(
    key: Uint8Array,
    number: PartitionNumber,
    id: bigint,
    { value, version }: AppendRecord,
    now: number,
  ): void {
    const former = this.#selectNewest.get(key, number);
    if (former?.version != null && version !== undefined && version < former.version) {
      this.#insertExpiring.run(id, now); // a late append of a process that had lost its partition
      return;
    }
    this.#upsertNewest.run(key, number, id, version ?? null);
    if (former) this.#insertExpiring.run(former.id, now);
    if (value === null) this.#insertExpiring.run(id, now + TOMBSTONE_RETENTION_MS);
  }
}

function headersText(headers: AppendRecord['headers']): string | null {
  if (!headers) return null;
  const text = JSON.stringify(headers);
  return text === '{}' ? null : text;
}
