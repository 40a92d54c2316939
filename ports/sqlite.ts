import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { FreshetError, StorageFailed } from '../runtime/errors.ts';
import { WalFlush } from './wal-flush.ts';

/*
 * The one place that imports the SQLite binding (docs/adr/0001-sqlite-binding.md). Everything here is synchronous: callers keep
 * each piece of work short enough for the event loop.
 */

/** What a column can hold. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** A prepared statement. Integers come back as bigint, because versions and positions need 64 bits. */
export interface Statement<Row> {
  run(...values: readonly SqlValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: readonly SqlValue[]): Row | undefined;
  all(...values: readonly SqlValue[]): Row[];
  /** Leaving the loop early resets the statement. */
  iterate(...values: readonly SqlValue[]): IterableIterator<Row>;
}

/** How a file is opened. */
export interface SqliteOptions {
  /** A file, whose folder is created; or `:memory:`. */
  readonly path: string;
  /** Size of a page of a new file; SQLite's own default when absent. */
  readonly pageBytes?: number;
  /** The file does not grow beyond this; a write that would fails as on a full disk. */
  readonly maxBytes?: number;
  /** What an operator does about a damaged file, as a sentence. */
  readonly remedy: string;
  /** Makes the error for a database that another connection holds: nothing happened, the work may be repeated. */
  readonly busy: (message: string, options: ErrorOptions) => FreshetError;
}

/** How long one call may block the event loop for another process's write, ms. Longer waits are the caller's, asynchronously. */
const BUSY_TIMEOUT_MS = 10;
/** Pages of the write-ahead log from which on a COMMIT copies them into the database; SQLite's own default. */
const LOG_PAGES = 1_000;
/** The write-ahead log is cut back to this after a checkpoint, bytes, so that one large transaction does not hold the disk for ever. */
const JOURNAL_LIMIT_BYTES = 67_108_864;

/**
 * Files up to here are checked page by page when they are opened, which takes about 50 ms; a larger one would hold up the start, and
 * its damage is found when a read meets it. A file that was cut short is always found.
 */
const CHECKED_BYTES = 16_777_216;

// Primary result codes, https://sqlite.org/rescode.html
const BUSY = new Set([5 /* BUSY */, 6 /* LOCKED */, 15 /* PROTOCOL */]);
const DAMAGED = new Set([11 /* CORRUPT */, 26 /* NOTADB */]);
const FAILED = new Set([
  3 /* PERM */, 7 /* NOMEM */, 8 /* READONLY */, 10 /* IOERR */, 13 /* FULL */, 14 /* CANTOPEN */,
]);

/** For errors of an iterator, which the binding throws without their code: https://sqlite.org/c3ref/errcode.html, sqlite3_errstr. */
const CODE_BY_MESSAGE: ReadonlyMap<string, number> = new Map([
  ['database is locked', 5],
  ['out of memory', 7],
  ['disk I/O error', 10],
  ['database disk image is malformed', 11],
  ['database or disk is full', 13],
  ['file is not a database', 26],
]);

interface SqliteErrorFields {
  readonly errcode?: number;
  readonly sqliteCodeName?: string;
}

/**
 * One connection: write-ahead log, deleted content overwritten (`secure_delete`). What is committed survives a kill; loss of power, too, once
 * `durable` has resolved after it. A loss before that takes the newest transactions, never one from among others.
 * Every method throws StorageFailed where an operator must act and the `busy` error where a repeat may succeed; other errors of
 * SQLite (a constraint, a value too large) pass as they are.
 */
export class Sqlite {
  readonly #db: DatabaseSyncInstance;
  readonly #options: SqliteOptions;
  readonly #flush: WalFlush | undefined;
  #pageBytes = 0;

  constructor(options: SqliteOptions, flush = new WalFlush(options.path)) {
    this.#options = options;
    const { path } = options;
    this.#flush = this.isMemory ? undefined : flush;
    this.#db = this.guard(() => {
      if (!this.isMemory) mkdirSync(dirname(path), { recursive: true });
      return new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readBigInts: true, allowExtension: true });
    });
    try {
      this.#configure();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  #configure(): void {
    const { path, pageBytes, maxBytes, remedy } = this.#options;
    const pragmas = [
      ...(pageBytes === undefined ? [] : [`page_size = ${pageBytes}`]), // before anything is written, or it has no effect
      'journal_mode = WAL',
      'synchronous = NORMAL', // `durable` flushes
      'secure_delete = ON',
      'temp_store = MEMORY',
      'cache_size = -32768', // KiB
      `journal_size_limit = ${JOURNAL_LIMIT_BYTES}`,
    ];
    for (const pragma of pragmas) this.exec(`PRAGMA ${pragma}`);
    this.#pageBytes = Number(this.prepare<{ page_size: bigint }>('PRAGMA page_size').get()?.page_size ?? 4_096n);
    if (maxBytes !== undefined)
      this.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / this.#pageBytes))}`);
    if (this.isMemory || statSync(path).size > CHECKED_BYTES) return;
    const check = this.prepare<{ quick_check: string }>('PRAGMA quick_check(1)');
    if (this.guard(() => check.get()?.quick_check) !== 'ok') throw new StorageFailed(`${path} is damaged. ${remedy}`);
  }

  get isMemory(): boolean {
    return this.#options.path === ':memory:';
  }

  /** False once an error of SQLite has ended the transaction by itself. */
  get isTransaction(): boolean {
    return this.#db.isTransaction;
  }

  exec(sql: string): void {
    this.guard(() => this.#db.exec(sql));
  }

  /** Prepare once, run often. Row is what the columns are; the binding does not check it. */
  prepare<Row extends object = Record<string, never>>(sql: string): Statement<Row> {
    return this.guard(() => this.#db.prepare(sql)) as unknown as Statement<Row>;
  }

  /** Loads an extension from a file; afterwards SQL can load no other. */
  loadExtension(path: string): void {
    this.guard(() => {
      this.#db.enableLoadExtension(true);
      this.#db.loadExtension(path);
      this.#db.enableLoadExtension(false);
    });
  }

  /** Runs `work` in one write transaction: all of it is stored, or none. Not reentrant; `work` must be synchronous. */
  transaction<T>(work: () => T): T {
    // IMMEDIATE takes the write lock first: a transaction that reads before it writes could otherwise fail half way with BUSY.
    return this.guard(() => this.#within('BEGIN IMMEDIATE', work));
  }

  /** Resolves when everything that was committed before survives loss of power. The disk is waited for off the event loop. */
  async durable(): Promise<void> {
    try {
      await this.#flush?.flush();
    } catch (error) {
      throw this.#classify(error);
    }
  }

  /** Runs `work` on one state of the database, whatever other connections write meanwhile. Inside a transaction it is that one's. */
  snapshot<T>(work: () => T): T {
    // Nobody else can write to a database in memory.
    return this.guard(() => (this.isMemory || this.#db.isTransaction ? work() : this.#within('BEGIN', work)));
  }

  /** Inside a transaction: undoes what `work` wrote when it throws, and nothing else. */
  savepoint<T>(work: () => T): T {
    this.#db.exec('SAVEPOINT one');
    try {
      const result = work();
      this.#db.exec('RELEASE one');
      return result;
    } catch (error) {
      // A full disk or an I/O error may have ended the whole transaction already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK TO one; RELEASE one');
      throw error;
    }
  }

  /** Changes when another connection has committed; own commits do not change it. */
  dataVersion(): bigint {
    this.#dataVersion ??= this.prepare<{ data_version: bigint }>('PRAGMA data_version');
    return this.guard(() => this.#dataVersion?.get()?.data_version ?? 0n);
  }
  #dataVersion: Statement<{ data_version: bigint }> | undefined;

  /** Classifies the errors of whatever statements `work` runs. */
  guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#classify(error);
    }
  }

  /** Moves the write-ahead log into the database and empties it, so that no deleted text stays there. False when readers hold it. */
  checkpoint(): boolean {
    return this.guard(() => this.prepare<{ busy: bigint }>('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0n);
  }

  /**
   * Copies what it can of the write-ahead log into the database without waiting for anybody; writers and readers go on. When all was copied
   * and no reader needs it, the next transaction begins the log anew.
   * @returns how long the log was, bytes.
   */
  copyLog(): number {
    this.#copyLog ??= this.prepare<{ log: bigint }>('PRAGMA wal_checkpoint(PASSIVE)');
    return Number(this.guard(() => this.#copyLog?.get())?.log ?? 0n) * this.#pageBytes;
  }
  #copyLog: Statement<{ log: bigint }> | undefined;

  /** Whether a COMMIT copies the log when it has become long, as SQLite does by itself, or somebody else does. */
  copyLogAtCommit(does: boolean): void {
    this.exec(`PRAGMA wal_autocheckpoint = ${does ? LOG_PAGES : 0}`);
  }

  /** Leaves one file: the binding keeps the connection half open while statements are not collected, and with it the log. */
  close(): void {
    if (!this.#db.isOpen) return;
    try {
      if (!this.isMemory) this.checkpoint();
    } finally {
      this.#db.close();
      this.#flush?.close();
    }
  }

  #within<T>(begin: string, work: () => T): T {
    this.#db.exec(begin);
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #classify(error: unknown): unknown {
    if (error instanceof FreshetError) return error;
    const { path, remedy, busy } = this.#options;
    const {
      message,
      syscall,
      errcode: stated,
      sqliteCodeName,
    } = error as { message: string; syscall?: string } & SqliteErrorFields;
    if (syscall !== undefined) return new StorageFailed(`cannot use ${path}: ${message}`, { cause: error });
    const errcode = stated ?? CODE_BY_MESSAGE.get(message);
    if (errcode === undefined) return error;
    const name = sqliteCodeName ?? message;
    const code = errcode & 0xff;
    if (BUSY.has(code)) return busy(`${path} is held by another process (${name})`, { cause: error });
    if (DAMAGED.has(code)) return new StorageFailed(`${path} is damaged (${name}). ${remedy}`, { cause: error });
    if (FAILED.has(code))
      return new StorageFailed(`${path} cannot be written or read (${name}); check free space, owner and permissions`, {
        cause: error,
      });
    return error;
  }
}
