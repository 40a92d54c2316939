import { eventLoopTurn, type Clock } from '../../../runtime/clock.ts';
import { RecordsLost, type FreshetError } from '../../../runtime/errors.ts';
import type { CommitOffset, LogReader, LogRecord, PartitionPlace, RecordPlace, Subscription } from '../log.ts';
import type { FetchedPartition } from './decode-records.ts';
import {
  placeName,
  type AssignedPartition,
  type FetchRequest,
  type GroupMember,
  type MemberListener,
} from './group-member.ts';
import { PARTITION_FETCH_BYTES } from './partition-source.ts';
import { PartitionWindow, sizeOf } from './partition-window.ts';

/** Waits at most so long for the batch in hand before a partition is given up, ms: a stalled handover holds up the whole group. */
const REVOKE_GRACE_MS = 3_000;
/** The least that is fetched of a partition at a time, bytes. */
const MIN_FETCH_BYTES = 65_536;

/** A batch being filled. */
interface Batch {
  records: LogRecord[];
  bytes: number;
  isFull: boolean;
}

/**
 * Reads as one member of a group. The member fetches ahead, up to two batches; batches are cut from what is there, so that a slow one
 * never keeps the member from telling that it lives.
 */
export class KafkaLogReader implements LogReader, MemberListener {
  readonly #clock: Clock;
  readonly #subscription: Subscription;
  readonly #member: GroupMember;
  readonly #onLeave: () => void;
  readonly #windows = new Map<string, PartitionWindow>();
  readonly #left = new AbortController();
  readonly #waiting = new Set<() => void>();
  /** Partitions of the batch that was handed out last and may be in work. */
  #inHand = new Set<string>();
  #failure: FreshetError | undefined;
  #turn = 0;

  constructor(
    clock: Clock,
    subscription: Subscription,
    memberFor: (listener: MemberListener) => GroupMember,
    onLeave: () => void,
  ) {
    this.#clock = clock;
    this.#subscription = subscription;
    this.#member = memberFor(this);
    this.#onLeave = onLeave;
  }

  async *batches(caller: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    const signal = AbortSignal.any([caller, this.#left.signal]);
    this.#failure = undefined;
    for (const window of this.#windows.values()) window.rewind();
    this.#member.join();
    try {
      while (!signal.aborted) {
        if (this.#failure) throw this.#failure;
        this.#reportLoss();
        const batch: Batch = { records: [], bytes: 0, isFull: false };
        this.#fill(batch);
        if (batch.records.length === 0) {
          await this.#changed(signal);
          // All partitions of one reply come within one turn of the event loop; the batch is shared among them.
          await eventLoopTurn();
          continue;
        }
        this.#inHand = new Set(batch.records.map(placeName));
        await this.#linger(batch, signal);
        this.#member.resume();
        const records = batch.records.filter((record) => this.#windows.has(placeName(record)));
        if (!signal.aborted && records.length > 0) yield records;
        this.#settle();
      }
    } finally {
      this.#settle();
    }
  }

  async commit(offsets: readonly CommitOffset[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const own = offsets.flatMap((offset): CommitOffset[] => {
      const window = this.#windows.get(placeName(offset));
      if (!window) return [];
      // Beyond what was fetched stand records that are yet to come, unless the commit accepts a loss and says where to go on.
      const next = window.lost || offset.next < window.position ? offset.next : window.position;
      return next > window.origin ? [{ topic: offset.topic, partition: offset.partition, next }] : [];
    });
    if (own.length === 0) return;
    for (const committed of await this.#member.commit(own, signal))
      this.#windows.get(placeName(committed))?.committed(committed.next);
  }

  rewind(partitions: readonly PartitionPlace[]): void {
    for (const name of new Set(partitions.map(placeName))) this.#windows.get(name)?.rewind();
    this.#member.resume();
  }

  lookForTopics(): void {
    this.#member.lookForTopics();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#left.signal.aborted) return;
    this.#left.abort();
    this.#onLeave();
    this.#windows.clear();
    this.#wake();
    await this.#member.leave();
  }

  assigned(partitions: readonly AssignedPartition[]): void {
    if (this.#left.signal.aborted) return;
    // A rewind answers from memory up to here; what was handed out beyond it without a commit is fetched again.
    const maxKeptBytes = 2 * this.#subscription.maxBatchBytes;
    for (const partition of partitions)
      this.#windows.set(placeName(partition), new PartitionWindow(partition, maxKeptBytes));
    this.#wake();
    this.#member.resume();
  }

  async revoking(partitions: readonly PartitionPlace[]): Promise<void> {
    const names = partitions.map(placeName);
    for (const name of names) {
      const window = this.#windows.get(name);
      if (window) window.isRevoking = true;
    }
    const grace = new AbortController();
    const isOver = this.#clock.sleep(REVOKE_GRACE_MS, AbortSignal.any([grace.signal, this.#left.signal])).then(
      () => true,
      () => true,
    );
    while (names.some((name) => this.#inHand.has(name)))
      if (await Promise.race([isOver, this.#changed(this.#left.signal)])) break;
    grace.abort();
    this.lost(partitions);
  }

  lost(partitions: readonly PartitionPlace[]): void {
    for (const partition of partitions) this.#windows.delete(placeName(partition));
    this.#wake();
  }

  hasRoomForAll(): boolean {
    return this.wanted().length === this.#windows.size;
  }

  wanted(): readonly FetchRequest[] {
    const windows = [...this.#windows.values()].filter(({ isRevoking }) => !isRevoking);
    const share = Math.max(MIN_FETCH_BYTES, (2 * this.#subscription.maxBatchBytes) / Math.max(1, windows.length));
    const most = 2 * this.#subscription.maxBatchRecords;
    return windows.flatMap(({ topic, partition, position, waitingBytes, waitingRecords }) =>
      waitingBytes < share && (waitingRecords < most || waitingBytes < MIN_FETCH_BYTES)
        ? [{ topic, partition, offset: position, maxBytes: Math.min(share, PARTITION_FETCH_BYTES) }]
        : [],
    );
  }

  fetched(requested: RecordPlace, { records, next }: FetchedPartition): void {
    const window = this.#windows.get(placeName(requested));
    if (window?.position !== requested.offset) return;
    window.push(records, next);
    if (records.length > 0) this.#wake();
  }

  moved({ position, lostFrom, ...place }: AssignedPartition): void {
    const window = this.#windows.get(placeName(place));
    if (!window) return;
    window.moveTo(position);
    if (lostFrom === undefined) window.origin = position;
    else window.lost = { from: lostFrom, next: position };
    this.#wake();
  }

  failed(error: FreshetError): void {
    this.#failure = error;
    this.#windows.clear();
    this.#wake();
  }

  #reportLoss(): void {
    for (const { topic, partition, lost, isRevoking } of this.#windows.values())
      if (lost && !isRevoking) throw new RecordsLost({ group: this.#subscription.group, topic, partition, ...lost });
  }

  /** What was handed out is no longer in work. */
  #settle(): void {
    this.#inHand = new Set();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when something has changed, when `withinMs` has passed, or when the signal aborts. */
  async #changed(signal: AbortSignal, withinMs?: number): Promise<void> {
    if (signal.aborted) return;
    const timer = new AbortController();
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        timer.abort();
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (withinMs !== undefined) void this.#clock.sleep(withinMs, timer.signal).then(wake, () => undefined);
    });
  }

  async #linger(batch: Batch, signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonicMs() + this.#subscription.lingerMs;
    for (;;) {
      const leftMs = until - this.#clock.monotonicMs();
      if (batch.isFull || leftMs <= 0 || signal.aborted) return;
      await this.#changed(signal, leftMs);
      this.#fill(batch);
      for (const record of batch.records) this.#inHand.add(placeName(record));
    }
  }

  /**
   * Takes records of every partition that has some: first an equal share each, so that neither a busy partition nor one that is rewound
   * again and again starves the others, then whatever still fits. The partition that goes first changes from batch to batch.
   */
  #fill(batch: Batch): void {
    const waiting = [...this.#windows.values()].filter((window) => window.peek());
    if (waiting.length === 0) return;
    const first = this.#turn++ % waiting.length;
    const inTurn = [...waiting.slice(first), ...waiting.slice(0, first)];
    const { maxBatchRecords, maxBatchBytes } = this.#subscription;
    const share = {
      records: Math.ceil((maxBatchRecords - batch.records.length) / inTurn.length),
      bytes: (maxBatchBytes - batch.bytes) / inTurn.length,
    };
    for (const allowance of [share, { records: maxBatchRecords, bytes: maxBatchBytes }])
      for (const window of inTurn) if (!batch.isFull) this.#take(batch, window, allowance);
  }

  #take(batch: Batch, window: PartitionWindow, allowance: { readonly records: number; readonly bytes: number }): void {
    const { maxBatchRecords, maxBatchBytes } = this.#subscription;
    let taken = 0;
    let bytes = 0;
    for (let record = window.peek(); record && taken < allowance.records; record = window.peek()) {
      const size = sizeOf(record);
      if (batch.records.length > 0 && batch.bytes + size > maxBatchBytes) {
        batch.isFull = true;
        return;
      }
      if (taken > 0 && bytes + size > allowance.bytes) return;
      window.take();
      batch.records.push(record);
      batch.bytes += size;
      bytes += size;
      taken++;
      batch.isFull = batch.records.length >= maxBatchRecords || batch.bytes >= maxBatchBytes;
      if (batch.isFull) return;
    }
  }
}
