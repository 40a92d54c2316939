import type { Clock } from '../../runtime/clock.ts';
import { LogUnavailable } from '../../runtime/errors.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import { CheckpointThread } from '../checkpoint-thread.ts';
import { Sqlite } from '../sqlite.ts';
import type {
  AppendRecord,
  Log,
  LogReader,
  LogRecord,
  PartitionState,
  RecordPlace,
  Subscription,
  TopicSpec,
} from './log.ts';
import { Appender } from './sqlite/append.ts';
import { Changes } from './sqlite/changes.ts';
import { Maintenance } from './sqlite/maintenance.ts';
import { Membership, membershipStatements, type MembershipStatements } from './sqlite/membership.ts';
import { Records } from './sqlite/read.ts';
import { SqliteLogReader } from './sqlite/reader.ts';
import { createSchema, recordId, type PartitionNumber } from './sqlite/schema.ts';
import { Topics } from './sqlite/topics.ts';

/** Where the log lies, and by which clock records are stamped. */
export interface SqliteLogOptions {
  /** A file, whose folder is created; or `:memory:`. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Largest size of the file, bytes; a write that would exceed it is a StorageFailed. The disk is the limit when absent. */
  readonly maxBytes?: number;
}

/** Values that one `fetch` may hold in memory, bytes. */
const MAX_FETCH_BYTES = 16_777_216;

const REMEDY =
  'Stop every freshet process and move the folder of the log away: what is indexed stays, and the sources are read again from the start.';

/**
 * The log in one SQLite file, for one or several processes of one host. Everything is synchronous inside except waiting for
 * records; in memory there are no timers, so that a simulation drives it by its clock.
 */
export class SqliteLog implements Log {
  readonly #db: Sqlite;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #topics: Topics;
  readonly #records: Records;
  readonly #changes: Changes;
  readonly #appender: Appender;
  readonly #maintenance: Maintenance;
  readonly #members: MembershipStatements;
  readonly #checkpoints: CheckpointThread;
  readonly #readers = new Set<SqliteLogReader>();
  #ends: Map<PartitionNumber, bigint>;
  #endsAsOf: number;

  constructor(options: SqliteLogOptions) {
    const { path, clock, logger = silentLogger, maxBytes } = options;
    const db = new Sqlite({
      path,
      ...(maxBytes !== undefined && { maxBytes }),
      remedy: REMEDY,
      busy: (message, cause) => new LogUnavailable(message, cause),
    });
    createSchema(db);
    this.#db = db;
    this.#checkpoints = new CheckpointThread(db, clock, { path, remedy: REMEDY });
    this.#clock = clock;
    this.#logger = logger;
    this.#topics = new Topics(db);
    this.#records = new Records(db, this.#topics);
    this.#changes = new Changes(db, clock);
    this.#maintenance = new Maintenance(db, this.#topics, clock);
    this.#members = membershipStatements(db);
    this.#endsAsOf = this.#changes.memberships();
    this.#ends = this.#records.ends();
    this.#appender = new Appender(db, this.#topics, clock, (next) => {
      for (const [number, offset] of next) this.#ends.set(number, offset);
      this.#changes.raise();
    });
  }

  async createTopics(topics: readonly TopicSpec[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#topics.create(topics);
    this.#changes.raiseMemberships();
    await this.#db.durable();
  }

  /** Appends all records or none, also when it throws: one call is part of one transaction. */
  async append(records: readonly AppendRecord[], signal?: AbortSignal): Promise<readonly RecordPlace[]> {
    signal?.throwIfAborted();
    if (records.length === 0) return [];
    return this.#appender.append(records);
  }

  subscribe(subscription: Subscription): LogReader {
    const parts = {
      db: this.#db,
      statements: this.#members,
      topics: this.#topics,
      changes: this.#changes,
      clock: this.#clock,
    };
    const membership = new Membership(parts, subscription.group, subscription.topics);
    const reader = new SqliteLogReader(
      {
        db: this.#db,
        records: this.#records,
        changes: this.#changes,
        clock: this.#clock,
        ends: () => this.#knownEnds(),
        numberOf: (topic, partition) => this.#topics.number(topic, partition),
      },
      subscription,
      membership,
      () => this.#readers.delete(reader),
    );
    this.#readers.add(reader);
    return reader;
  }

  /** At most 16 MiB of values at a time, but always a record where there is one: go on from the last offset until it is empty. */
  async fetch(from: RecordPlace, limit: number, signal?: AbortSignal): Promise<readonly LogRecord[]> {
    signal?.throwIfAborted();
    return this.#records.fetch(from, limit, MAX_FETCH_BYTES);
  }

  async latest(
    topic: string,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (LogRecord | undefined)[]> {
    signal?.throwIfAborted();
    return this.#records.latest(topic, keys);
  }

  async describe(topics: readonly string[] = [], signal?: AbortSignal): Promise<readonly PartitionState[]> {
    signal?.throwIfAborted();
    return this.#records.describe(topics);
  }

  /**
   * Retention and compaction; run it by the clock. Repeating it is harmless.
   * @param keep records that stay whatever their age, because a dead letter points to them.
   * @returns how many records were removed.
   */
  async maintain(
    options: { readonly keep?: readonly RecordPlace[] } = {},
    signal?: AbortSignal,
  ): Promise<{ readonly removedRecords: number }> {
    const keep = new Set(
      (options.keep ?? []).map(({ topic, partition, offset }) =>
        recordId(this.#topics.number(topic, partition), offset),
      ),
    );
    const removedRecords = await this.#maintenance.run(keep, signal);
    if (removedRecords > 0) this.#logger.debug('The log was cleaned up.', { removedRecords });
    return { removedRecords };
  }

  /** Forgets a group that will not read again, so that retention no longer waits for it. */
  async forgetGroup(group: string): Promise<void> {
    this.#db.transaction(() => {
      for (const table of ['offsets', 'owners', 'members'])
        this.#db.prepare(`DELETE FROM ${table} WHERE name = ?`).run(group);
    });
    this.#changes.raiseMemberships();
    await this.#db.durable();
  }

  /** Ends all readers, waits for the appends that were made, closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers) await reader[Symbol.asyncDispose]();
    await this.#appender.drained();
    this.#changes.close();
    await this.#checkpoints.close();
    this.#db.close();
  }

  #knownEnds(): ReadonlyMap<PartitionNumber, bigint> {
    const asOf = this.#changes.memberships();
    if (asOf !== this.#endsAsOf) {
      this.#ends = this.#records.ends();
      this.#endsAsOf = asOf;
    }
    return this.#ends;
  }
}

/** @throws StorageFailed when the file is damaged, of another format, or cannot be opened. */
export function openSqliteLog(options: SqliteLogOptions): SqliteLog {
  return new SqliteLog(options);
}
