import { StorageFailed } from '../../../runtime/errors.ts';
import type { Sqlite } from '../../sqlite.ts';
import type { Offset } from '../log.ts';

/*
 * A record's rowid is its partition's number and its offset in one integer, so that reading a partition in order is a scan of the
 * table itself and appending needs no index: 22 bits of partition, 41 bits of offset.
 */
export const OFFSET_BITS = 41n;
/** Highest offset of a partition. */
export const LAST_OFFSET = (1n << OFFSET_BITS) - 1n;

/** Number of a partition over all topics of the log, from 1. */
export type PartitionNumber = bigint;

/** Row number of a record, from its partition and offset. */
export function recordId(partition: PartitionNumber, offset: bigint): bigint {
  return (partition << OFFSET_BITS) | offset;
}

/** The offset in a row number. */
export function offsetOf(recordId: bigint): Offset {
  return (recordId & LAST_OFFSET) as Offset;
}

/** The partition in a row number. */
export function partitionOf(recordId: bigint): PartitionNumber {
  return recordId >> OFFSET_BITS;
}

const SCHEMA_VERSION = 2n;

const SCHEMA = `
CREATE TABLE topics (
  name TEXT PRIMARY KEY,
  cleanup TEXT NOT NULL,
  retention_ms INTEGER
) WITHOUT ROWID;

-- next: the offset that the next record gets. bytes: of the values that are stored.
CREATE TABLE partitions (
  number INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, partition)
);

-- key is UTF-8 bytes: the binding cuts text at a NUL when it reads it back. headers: JSON, null when there are none.
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  value BLOB,
  headers TEXT,
  timestamp INTEGER NOT NULL
);

-- Newest record of every key of compacted topics.
CREATE TABLE newest (
  key BLOB NOT NULL,
  partition INTEGER NOT NULL,
  id INTEGER NOT NULL,
  version INTEGER,
  PRIMARY KEY (key, partition)
) WITHOUT ROWID;

-- Records of compacted topics that may go once due: a newer one of the key exists, or it is a tombstone.
CREATE TABLE expiring (
  id INTEGER PRIMARY KEY,
  due_ms INTEGER NOT NULL
);
CREATE INDEX expiring_due ON expiring (due_ms);

-- What each group has to read next.
CREATE TABLE offsets (
  name TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next INTEGER NOT NULL,
  PRIMARY KEY (name, partition)
) WITHOUT ROWID;

CREATE TABLE members (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  topics TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process TEXT NOT NULL,
  lease_until_ms INTEGER NOT NULL
);

-- Who owns a partition in a group. The row stays when nobody does: it says that the group reads this partition.
CREATE TABLE owners (
  name TEXT NOT NULL,
  partition INTEGER NOT NULL,
  member INTEGER,
  PRIMARY KEY (name, partition)
) WITHOUT ROWID;

PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Creates the tables of a new log. @throws StorageFailed when the file was written by another version of the format. */
export function createSchema(db: Sqlite): void {
  const version = db.prepare<{ user_version: bigint }>('PRAGMA user_version');
  const found = db.guard(() => version.get()?.user_version);
  if (found === SCHEMA_VERSION) return;
  db.transaction(() => {
    const inside = version.get()?.user_version; // another process may have been first
    if (inside === 0n) db.exec(SCHEMA);
    else if (inside !== SCHEMA_VERSION)
      throw new StorageFailed(`the log has format ${inside}, this version of freshet reads format ${SCHEMA_VERSION}`);
  });
}
