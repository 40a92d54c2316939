import { StorageFailed } from '../../../runtime/errors.ts';
import type { Sqlite } from '../../sqlite.ts';

/*
 * A document has a number; a passage's rowid is its document's number and its ordinal in one integer. So the passages, vectors and
 * full-text rows of a document lie together and need no index of their own.
 */
export const ORDINAL_BITS = 20n;
/** Most passages that one document can have. */
export const MAX_PASSAGES = 1 << Number(ORDINAL_BITS);

/** Number of a document in this file; a new version of the document gets a new one. */
export type DocumentNumber = bigint;

/** Row number of a passage: those of one document follow one another. */
export function passageNumber(document: DocumentNumber, ordinal: number): bigint {
  return (document << ORDINAL_BITS) | BigInt(ordinal);
}

const SCHEMA_VERSION = 3n;

/** 8 kB pages hold five vectors of 384 dimensions with 6 % waste; of 4 kB pages a quarter would stay empty. */
export const PAGE_BYTES = 8_192;

/** Since format 2. */
const VECTOR_CHANGES = `
-- Documents whose vectors have changed, in the order of their transactions.
CREATE TABLE vector_changes (sequence INTEGER PRIMARY KEY, document INTEGER NOT NULL);
`;

/** Since format 3: the index merges its segments by itself only where WordSegments has fallen far behind, or writers are held up for it. */
const MERGES = `
INSERT INTO words (words, rank) VALUES ('automerge', 0);
INSERT INTO words (words, rank) VALUES ('crisismerge', 64);
INSERT INTO words (words, rank) VALUES ('usermerge', 8);
`;

const SCHEMA = `
-- Documents and tombstones. is_open: no ACL, every member of the tenant may read it. shown: JSON of what results show.
CREATE TABLE documents (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  source TEXT NOT NULL,
  tenant TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  passages INTEGER NOT NULL,
  vectors INTEGER NOT NULL,
  position TEXT NOT NULL,
  committed_at INTEGER NOT NULL,
  indexed_at INTEGER NOT NULL,
  content_hash TEXT NOT NULL,
  shown TEXT NOT NULL
);
-- The way of every search: the live documents of one tenant, in the order in which their vectors lie.
CREATE INDEX documents_tenant ON documents (tenant, number, is_open) WHERE deleted = 0;

-- UTF-16 code units, one byte each where all are below 256, else two: every text survives, and a span is cut without decoding.
CREATE TABLE texts (number INTEGER PRIMARY KEY, is_wide INTEGER NOT NULL, text BLOB NOT NULL);

CREATE TABLE passages (
  number INTEGER PRIMARY KEY,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  headings TEXT NOT NULL,
  vector_key TEXT NOT NULL
);
CREATE INDEX passages_vector_key ON passages (vector_key);

CREATE TABLE vectors (number INTEGER PRIMARY KEY, vector BLOB NOT NULL);

${VECTOR_CHANGES}

CREATE VIRTUAL TABLE words USING fts5 (
  title, headings, text,
  content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

${MERGES}

-- Groups that may read a document whose is_open is 0.
CREATE TABLE readers (document INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (document, name)) WITHOUT ROWID;

-- Metadata for filters: the value as text, and as a number or a time (ms since the epoch) where it is one.
CREATE TABLE fields (
  document INTEGER NOT NULL,
  name TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  text TEXT NOT NULL,
  number REAL,
  time_ms REAL,
  PRIMARY KEY (document, name, ordinal)
) WITHOUT ROWID;

-- Range tombstones: the effective ones, and the lanes that have asked for one.
CREATE TABLE floors (source TEXT NOT NULL, "table" TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (source, "table")) WITHOUT ROWID;
CREATE TABLE floor_lanes (
  source TEXT NOT NULL, "table" TEXT NOT NULL, version INTEGER NOT NULL, lane TEXT NOT NULL,
  PRIMARY KEY (source, "table", version, lane)
) WITHOUT ROWID;

-- What every lane has reported; first and last count the reports of the source.
CREATE TABLE lanes (
  source TEXT NOT NULL, level TEXT NOT NULL, lane TEXT NOT NULL,
  lanes INTEGER NOT NULL, epoch INTEGER NOT NULL, position TEXT NOT NULL, committed_at INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (source, level, lane)
) WITHOUT ROWID;

-- How far each source is; never goes down.
CREATE TABLE positions (
  source TEXT NOT NULL, level TEXT NOT NULL,
  epoch INTEGER NOT NULL, position TEXT NOT NULL, committed_at INTEGER NOT NULL,
  PRIMARY KEY (source, level)
) WITHOUT ROWID;

-- Live documents, their passages, and those that have a vector.
CREATE TABLE counts (
  source TEXT PRIMARY KEY, documents INTEGER NOT NULL, passages INTEGER NOT NULL, vectors INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

PRAGMA user_version = ${SCHEMA_VERSION};
`;

const REBUILD = 'delete the folder of the index, it is built again from the log';

/** Creates the tables of a new index. @throws StorageFailed when the file is of another format or holds vectors of another size. */
export function createSchema(db: Sqlite, dimensions: number): void {
  const version = db.prepare<{ user_version: bigint }>('PRAGMA user_version');
  if (db.guard(() => version.get()?.user_version) !== SCHEMA_VERSION)
    db.transaction(() => {
      const found = version.get()?.user_version; // another process may have been first
      if (found === SCHEMA_VERSION) return;
      if (found === 1n || found === 2n)
        return db.exec(`${found === 1n ? VECTOR_CHANGES : ''} ${MERGES} PRAGMA user_version = ${SCHEMA_VERSION};`);
      if (found !== 0n)
        throw new StorageFailed(
          `the index has format ${found}, this version of freshet reads up to ${SCHEMA_VERSION}; ${REBUILD}`,
        );
      db.exec(SCHEMA);
      db.prepare(`INSERT INTO settings (name, value) VALUES ('dimensions', ?)`).run(dimensions);
    });
  const stored = db.prepare<{ value: bigint }>(`SELECT value FROM settings WHERE name = 'dimensions'`);
  const found = db.guard(() => stored.get()?.value);
  if (found !== BigInt(dimensions))
    throw new StorageFailed(
      `the index holds vectors of ${found} dimensions, the model makes ${dimensions}; ${REBUILD}`,
    );
}
