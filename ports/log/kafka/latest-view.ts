import { join } from 'node:path';
import { LogUnavailable } from '../../../runtime/errors.ts';
import { VERSION_HEADER } from '../../../schemas/topics.ts';
import { parseVersion } from '../../../schemas/version.ts';
import { Sqlite, type Statement } from '../../sqlite.ts';
import type { LogRecord, Offset } from '../log.ts';
import type { FetchedPartition } from './decode-records.ts';

const SCHEMA_VERSION = 1n;
const SCHEMA = `
-- next: the offset to read next. last_offset and last_ms: of the last record that was taken over, to recognise the partition by.
CREATE TABLE partitions (
  partition INTEGER PRIMARY KEY,
  next INTEGER NOT NULL,
  last_offset INTEGER,
  last_ms INTEGER
);

-- The newest record of every key. key: UTF-8. value: null for a tombstone, which goes on refusing what is older.
CREATE TABLE newest (
  key BLOB NOT NULL,
  partition INTEGER NOT NULL,
  log_offset INTEGER NOT NULL,
  version INTEGER,
  value BLOB,
  headers TEXT NOT NULL,
  timestamp INTEGER NOT NULL
);
CREATE UNIQUE INDEX newest_key ON newest (key, partition);

-- Keys whose newest record must be appended again, because an older one stands behind it, at late_offset.
CREATE TABLE repairs (
  key BLOB NOT NULL,
  partition INTEGER NOT NULL,
  late_offset INTEGER NOT NULL,
  PRIMARY KEY (key, partition)
) WITHOUT ROWID;

PRAGMA user_version = ${SCHEMA_VERSION};
`;

interface NewestRow {
  readonly partition: bigint;
  readonly log_offset: bigint;
  readonly version: bigint | null;
  readonly value: Uint8Array | null;
  readonly headers: string;
  readonly timestamp: bigint;
}

/** How far one partition has been taken over. */
export interface ViewPosition {
  readonly next: Offset;
  readonly lastOffset: Offset | undefined;
  readonly lastMs: number | undefined;
}

/** A record that has to be appended again, with the offset of the older one that stands behind it. */
export interface Repair {
  readonly record: LogRecord;
  readonly version: bigint;
  readonly lateOffset: Offset;
}

/**
 * The newest record of every key of one compacted topic, in a file. Newest is the highest version, later offsets winning ties. Several
 * processes may share the file: what one has taken over, the other one skips.
 */
export class LatestView {
  readonly #topic: string;
  readonly #db: Sqlite;
  readonly #held: Statement<{ log_offset: bigint; version: bigint | null }>;
  readonly #byKey: Statement<NewestRow>;
  readonly #upsert: Statement<object>;
  readonly #position: Statement<{ next: bigint; last_offset: bigint | null; last_ms: bigint | null }>;
  readonly #advance: Statement<object>;
  readonly #addRepair: Statement<object>;
  readonly #repairs: Statement<NewestRow & { key: Uint8Array; late_offset: bigint }>;
  readonly #dropRepair: Statement<object>;

  /** @param name of the topic at the broker. @throws StorageFailed */
  constructor(folder: string, topic: string, name: string) {
    this.#topic = topic;
    const db = openFile(join(folder, `${encodeURIComponent(name)}.db`));
    this.#db = db;
    this.#held = db.prepare('SELECT log_offset, version FROM newest WHERE key = ? AND partition = ?');
    this.#byKey = db.prepare(
      'SELECT partition, log_offset, version, value, headers, timestamp FROM newest WHERE key = ?',
    );
    this.#upsert = db.prepare(
      `INSERT INTO newest (key, partition, log_offset, version, value, headers, timestamp) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (key, partition) DO UPDATE SET log_offset = excluded.log_offset, version = excluded.version,
         value = excluded.value, headers = excluded.headers, timestamp = excluded.timestamp`,
    );
    this.#position = db.prepare('SELECT next, last_offset, last_ms FROM partitions WHERE partition = ?');
    this.#advance = db.prepare(
      'INSERT OR REPLACE INTO partitions (partition, next, last_offset, last_ms) VALUES (?, ?, ?, ?)',
    );
    this.#addRepair = db.prepare('INSERT OR REPLACE INTO repairs (key, partition, late_offset) VALUES (?, ?, ?)');
    this.#repairs = db.prepare(
      `SELECT r.key, r.late_offset, n.partition, n.log_offset, n.version, n.value, n.headers, n.timestamp
       FROM repairs r JOIN newest n ON n.key = r.key AND n.partition = r.partition LIMIT 100`,
    );
    this.#dropRepair = db.prepare('DELETE FROM repairs WHERE key = ? AND partition = ? AND late_offset = ?');
  }

  position(partition: number): ViewPosition {
    const row = this.#db.guard(() => this.#position.get(partition));
    return {
      next: (row?.next ?? 0n) as Offset,
      lastOffset: (row?.last_offset ?? undefined) as Offset | undefined,
      lastMs: row?.last_ms == null ? undefined : Number(row.last_ms),
    };
  }

  /** Takes over a page that was fetched from `from` on. Records that were taken over meanwhile are skipped. */
  take(from: Offset, { partition, records, next }: FetchedPartition): void {
    this.#db.transaction(() => {
      const before = this.position(partition);
      if (before.next < from || before.next >= next) return; // begun anew, or overtaken, by another process
      for (const record of records) if (record.offset >= before.next) this.#takeOne(record);
      const last = records.at(-1);
      const recognised = last ? [last.offset, last.timestamp] : [before.lastOffset ?? null, before.lastMs ?? null];
      this.#advance.run(partition, next, ...recognised);
    });
  }

  #takeOne(record: LogRecord): void {
    const { partition, offset, value, headers, timestamp } = record;
    const key = Buffer.from(record.key);
    const version = parseVersion(headers[VERSION_HEADER] ?? '') ?? null;
    const held = this.#held.get(key, partition);
    if (held?.version != null && version !== null && version < held.version) {
      this.#addRepair.run(key, partition, offset);
      return;
    }
    this.#upsert.run(key, partition, offset, version, value, JSON.stringify(headers), timestamp);
  }

  latest(keys: readonly string[]): (LogRecord | undefined)[] {
    return this.#db.snapshot(() =>
      keys.map((key) => {
        let newest: NewestRow | undefined;
        // After a topic has got more partitions a key stands in several; so do markers, which choose theirs.
        for (const row of this.#byKey.all(Buffer.from(key))) if (!newest || isNewer(row, newest)) newest = row;
        return newest && newest.value !== null ? this.#record(key, newest) : undefined;
      }),
    );
  }

  /** What must be appended again; empty when nothing is out of order. */
  repairs(): Repair[] {
    return this.#db.snapshot(() =>
      this.#repairs.all().flatMap((row) => {
        const lateOffset = row.late_offset as Offset;
        if (row.version === null || row.log_offset > lateOffset) {
          this.#dropRepair.run(row.key, row.partition, lateOffset);
          return [];
        }
        return [{ record: this.#record(Buffer.from(row.key).toString(), row), version: row.version, lateOffset }];
      }),
    );
  }

  repaired({ record, lateOffset }: Repair): void {
    this.#db.guard(() => this.#dropRepair.run(Buffer.from(record.key), record.partition, lateOffset));
  }

  /** Forgets everything: the topic is another one than it was. */
  clear(): void {
    this.#db.transaction(() => {
      for (const table of ['partitions', 'newest', 'repairs']) this.#db.exec(`DELETE FROM ${table}`);
    });
  }

  close(): void {
    this.#db.close();
  }

  #record(key: string, row: NewestRow): LogRecord {
    return {
      topic: this.#topic,
      partition: Number(row.partition),
      offset: row.log_offset as Offset,
      key,
      value: row.value,
      headers: JSON.parse(row.headers) as Record<string, string>,
      timestamp: Number(row.timestamp),
    };
  }
}

function isNewer(a: NewestRow, b: NewestRow): boolean {
  if (a.version !== null && b.version !== null && a.version !== b.version) return a.version > b.version;
  return a.timestamp > b.timestamp;
}

function openFile(path: string): Sqlite {
  const db = new Sqlite({
    path,
    remedy: 'Stop the process and delete the file: it is filled from Kafka again.',
    busy: (message, cause) => new LogUnavailable(message, cause),
  });
  const version = db.prepare<{ user_version: bigint }>('PRAGMA user_version');
  if (db.guard(() => version.get()?.user_version) === SCHEMA_VERSION) return db;
  db.transaction(() => {
    const found = version.get()?.user_version;
    if (found === SCHEMA_VERSION) return;
    // Of another version: what is in it can be read again.
    if (found !== 0n) for (const table of ['partitions', 'newest', 'repairs']) db.exec(`DROP TABLE IF EXISTS ${table}`);
    db.exec(SCHEMA);
  });
  return db;
}
