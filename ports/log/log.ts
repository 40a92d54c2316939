import type { Brand } from '../../schemas/brand.ts';

/** Place of a record in its partition; dense enough to compare, not to count with (compaction leaves holes). */
export type Offset = Brand<bigint, 'Offset'>;

/** A topic as it is created. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** `compact`: the newest record of every key is kept for ever; `delete`: records go after `retentionMs`. */
  readonly cleanup: 'compact' | 'delete';
  /** Only for `delete`. A log may keep records longer that a group has not read; where it cannot, see RecordsLost. */
  readonly retentionMs?: number;
}

/** A record before it has a place. */
export interface AppendRecord {
  readonly topic: string;
  /** Decides the partition (the same key always lands in the same one) and what compaction keeps. */
  readonly key: string;
  /** null is a tombstone: compaction drops the key. */
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * In a compacted topic the newest record of a key is the one with the highest version, later offsets winning ties: what a process
   * appends late, after it lost its partition, cannot take the place of something newer. A log may show it as VERSION_HEADER.
   */
  readonly version?: bigint;
  /** Overrides the partition that the key would choose; for markers that go to every partition. */
  readonly partition?: number;
}

/** A record as it stands in the log. */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  /** When it was appended, ms since the epoch. */
  readonly timestamp: number;
}

/** Where a record stands. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
}

/** What a consumer group has to commit next: the offset after the last record that needs no more work. */
export interface CommitOffset {
  readonly topic: string;
  readonly partition: number;
  readonly next: Offset;
}

/** One partition of a topic. */
export type PartitionPlace = Omit<RecordPlace, 'offset'>;

/** What a consumer reads, as which group, and how large its batches are. */
export interface Subscription {
  readonly group: string;
  readonly topics: readonly string[];
  readonly maxBatchRecords: number;
  /** A batch ends when its values reach this many bytes; one larger record still comes, alone. */
  readonly maxBatchBytes: number;
  /** How long to wait for more when the batch is not full and the log is drained, ms. 0 hands over what is there. */
  readonly lingerMs: number;
}

/** One member of a consumer group. Disposing leaves the group without committing. */
export interface LogReader extends AsyncDisposable {
  /**
   * Batches of one or more records, from the committed offsets on; offset order within a partition. Waits when there is nothing.
   * Ends when the signal aborts. One loop at a time; a new one reads again what the last one left uncommitted.
   * @throws RecordsLost when retention has deleted records that the group had not read, before any other record of that partition;
   * again and again until its `next` or a later offset is committed, which accepts the loss; reading goes on from there. LogUnavailable when the log cannot be reached.
   */
  batches(signal: AbortSignal): AsyncIterable<readonly LogRecord[]>;
  /**
   * Moves the group's offsets. Idempotent. Refused silently: going back, because a late commit must not undo a newer one (B14), and a
   * partition that has gone to another member.
   */
  commit(offsets: readonly CommitOffset[], signal?: AbortSignal): Promise<void>;
  /**
   * Reads partitions again from their committed offsets without leaving the group: what was handed out of them and not committed comes
   * again with the following batches. Other partitions go on, however often one is rewound. Call it between two batches; partitions
   * that are not this member's are passed over.
   */
  rewind(partitions: readonly PartitionPlace[]): void;
}

/** How far a partition reaches, and how far each group has read it. */
export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  readonly earliest: Offset;
  /** The offset that the next record gets. */
  readonly next: Offset;
  /** By group: the next offset it will read; absent when the group has never committed here. */
  readonly groups: Readonly<Record<string, Offset>>;
  /** Of the values that are stored, as far as the log can tell; 0 where it cannot. */
  readonly bytes: number;
}

/**
 * Topics of records, kept in order by partition. Delivery is at least once (I6): a record comes again after a crash between its
 * work and its commit. Every adapter passes `log.conformance.ts`.
 */
export interface Log extends AsyncDisposable {
  /**
   * Creates what is missing, and adds partitions where the log can. Idempotent.
   * @throws InvalidConfig when a topic has more partitions than asked for, or fewer and the log cannot add any.
   */
  createTopics(topics: readonly TopicSpec[], signal?: AbortSignal): Promise<void>;

  /**
   * Appends records, those of one partition in their order and next to each other. All are durable when it resolves: they survive loss
   * of power. When it throws LogUnavailable or is aborted, any part of them may be in the log, of each partition the first ones: what
   * must not be seen without something else goes into a later call. It may then be repeated, and a repeat can duplicate.
   * @throws NotFound for an unknown topic or partition (nothing of this call is appended then), RecordTooLarge for a record above the
   * topic's limit, LogUnavailable, StorageFailed when an operator must act.
   */
  append(records: readonly AppendRecord[], signal?: AbortSignal): Promise<readonly RecordPlace[]>;

  /** Joins a consumer group. Partitions are shared among its live members. */
  subscribe(subscription: Subscription): LogReader;

  /**
   * Records from a place on, without a group: for dead letters, inspection and connector state. Empty at the end; before it a page
   * may hold fewer than `limit`, because its bytes are bounded, too.
   */
  fetch(from: RecordPlace, limit: number, signal?: AbortSignal): Promise<readonly LogRecord[]>;

  /**
   * The newest record of each key of a compacted topic, in the order of `keys`; undefined when there is none or it is a tombstone.
   * Sees every append that had resolved, in any process, when it was called.
   */
  latest(topic: string, keys: readonly string[], signal?: AbortSignal): Promise<readonly (LogRecord | undefined)[]>;

  /** State of every partition of the named topics (all when empty). */
  describe(topics?: readonly string[], signal?: AbortSignal): Promise<readonly PartitionState[]>;
}
