import type { Sqlite, Statement } from '../../sqlite.ts';
import type { LogRecord, Offset, PartitionState, RecordPlace } from '../log.ts';
import { LAST_OFFSET, offsetOf, partitionOf, recordId, type PartitionNumber } from './schema.ts';
import type { Topics } from './topics.ts';

interface RecordRow {
  readonly id: bigint;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly headers: string | null;
  readonly timestamp: bigint;
}

const COLUMNS = 'id, key, value, headers, timestamp';

/** Reads records: a partition in order, the newest by key, the state of partitions. */
export class Records {
  readonly #db: Sqlite;
  readonly #topics: Topics;
  readonly #scan: Statement<RecordRow>;
  readonly #newest: Statement<RecordRow>;
  readonly #ends: Statement<{ number: bigint; next: bigint; bytes: bigint }>;
  readonly #first: Statement<{ id: bigint | null }>;
  readonly #offsets: Statement<{ name: string; partition: bigint; next: bigint }>;

  constructor(db: Sqlite, topics: Topics) {
    this.#db = db;
    this.#topics = topics;
    this.#scan = db.prepare(`SELECT ${COLUMNS} FROM records WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`);
    this.#newest = db.prepare(`SELECT ${COLUMNS} FROM records WHERE id IN (SELECT id FROM newest WHERE key = ?)`);
    this.#ends = db.prepare('SELECT number, next, bytes FROM partitions');
    this.#first = db.prepare('SELECT min(id) AS id FROM records WHERE id BETWEEN ? AND ?');
    this.#offsets = db.prepare('SELECT name, partition, next FROM offsets ORDER BY name');
  }

  /**
   * Offers up to `limit` records of one partition, from an offset on, until one is not accepted.
   * @returns the offset to go on from, and whether the end of the partition was reached.
   */
  scan(
    number: PartitionNumber,
    from: bigint,
    limit: number,
    accept: (record: LogRecord, bytes: number) => boolean,
  ): { readonly next: bigint; readonly atEnd: boolean } {
    let next = from;
    let accepted = 0;
    for (const row of this.#scan.iterate(recordId(number, from), recordId(number, LAST_OFFSET), limit)) {
      if (!accept(this.#record(row), row.value?.byteLength ?? 0)) return { next, atEnd: false };
      next = offsetOf(row.id) + 1n;
      accepted++;
    }
    return { next, atEnd: accepted < limit };
  }

  fetch(from: RecordPlace, limit: number, maxBytes: number): LogRecord[] {
    const number = this.#topics.number(from.topic, from.partition);
    const records: LogRecord[] = [];
    let total = 0;
    this.#db.guard(() =>
      this.scan(number, from.offset, limit, (record, bytes) => {
        if (records.length > 0 && total + bytes > maxBytes) return false;
        records.push(record);
        total += bytes;
        return true;
      }),
    );
    return records;
  }

  latest(topic: string, keys: readonly string[]): (LogRecord | undefined)[] {
    const numbers = new Set(this.#topics.get(topic).numbers);
    return this.#db.snapshot(() =>
      keys.map((key) => {
        let newest: RecordRow | undefined;
        for (const row of this.#newest.all(Buffer.from(key))) {
          if (!numbers.has(partitionOf(row.id))) continue;
          // Markers go to a partition of their own choice, so that a key may stand in several.
          if (!newest || row.timestamp > newest.timestamp) newest = row;
        }
        return newest && newest.value !== null ? this.#record(newest) : undefined;
      }),
    );
  }

  /** By partition, the offset that the next record gets. */
  ends(): Map<PartitionNumber, bigint> {
    return this.#db.guard(() => new Map(this.#ends.all().map(({ number, next }) => [number, next])));
  }

  describe(topics: readonly string[]): PartitionState[] {
    const chosen = topics.length === 0 ? this.#topics.all() : topics.map((name) => this.#topics.get(name));
    return this.#db.snapshot(() => {
      const ends = new Map(this.#ends.all().map((row) => [row.number, row]));
      const groups = new Map<PartitionNumber, Record<string, Offset>>();
      for (const { name, partition, next } of this.#offsets.all()) {
        let byName = groups.get(partition);
        if (!byName) groups.set(partition, (byName = {}));
        byName[name] = next as Offset;
      }
      return chosen.flatMap(({ name, numbers }) =>
        numbers.map((number, partition): PartitionState => {
          const next = (ends.get(number)?.next ?? 0n) as Offset;
          const first = this.#first.get(recordId(number, 0n), recordId(number, LAST_OFFSET))?.id;
          return {
            topic: name,
            partition,
            earliest: first === null || first === undefined ? next : offsetOf(first),
            next,
            groups: groups.get(number) ?? {},
            bytes: Number(ends.get(number)?.bytes ?? 0n),
          };
        }),
      );
    });
  }

  #record(row: RecordRow): LogRecord {
    const { topic, partition } = this.#topics.partition(partitionOf(row.id));
    const { buffer, byteOffset, byteLength } = row.key;
    return {
      topic,
      partition,
      offset: offsetOf(row.id),
      key: Buffer.from(buffer, byteOffset, byteLength).toString(),
      value: row.value,
      headers: row.headers === null ? {} : (JSON.parse(row.headers) as Record<string, string>),
      timestamp: Number(row.timestamp),
    };
  }
}
