import type { LogRecord, Offset } from '../log.ts';
import type { AssignedPartition } from './group-member.ts';

/**
 * The part of a partition that a reader holds: records that were fetched and wait, behind records that were handed out and are not
 * committed. The latter are kept, up to a limit, so that a partition can be rewound again and again without asking the broker.
 */
export class PartitionWindow {
  readonly topic: string;
  readonly partition: number;
  /** The offset to fetch next. */
  position: Offset;
  /** Where a rewind goes back to: what the group has committed, or where it began. */
  origin: Offset;
  /** Records that retention deleted, as long as the loss is not accepted: nothing may be handed out. */
  lost: { readonly from: Offset; readonly next: Offset } | undefined;
  /** Goes to another member: nothing may be handed out. */
  isRevoking = false;
  readonly #maxKeptBytes: number;
  #records: LogRecord[] = [];
  /** Of the first record that waits. */
  #cursor = 0;
  #keptBytes = 0;
  #waitingBytes = 0;
  /** Records from the origin up to here were let go; undefined when all are here. */
  #trimmedTo: Offset | undefined;

  constructor({ topic, partition, position, lostFrom }: AssignedPartition, maxKeptBytes: number) {
    this.topic = topic;
    this.partition = partition;
    this.position = position;
    this.origin = lostFrom ?? position;
    this.lost = lostFrom === undefined ? undefined : { from: lostFrom, next: position };
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** Of the values that wait. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get waitingRecords(): number {
    return this.#records.length - this.#cursor;
  }

  /** The record that would be taken next; undefined when none may be. */
  peek(): LogRecord | undefined {
    return this.isRevoking || this.lost ? undefined : this.#records[this.#cursor];
  }

  take(): void {
    const bytes = sizeOf(this.#records[this.#cursor]);
    this.#cursor++;
    this.#waitingBytes -= bytes;
    this.#keptBytes += bytes;
    // A caller that commits rarely: a rewind will fetch again.
    while (this.#keptBytes > this.#maxKeptBytes && this.#cursor > 1) {
      const oldest = this.#records.shift();
      this.#keptBytes -= sizeOf(oldest);
      this.#cursor--;
      this.#trimmedTo = oldest && ((oldest.offset + 1n) as Offset);
    }
  }

  push(records: readonly LogRecord[], next: Offset): void {
    for (const record of records) {
      this.#records.push(record);
      this.#waitingBytes += sizeOf(record);
    }
    this.position = next;
  }

  /** What is not committed comes again. */
  rewind(): void {
    if (this.#trimmedTo !== undefined) return this.moveTo(this.origin);
    this.#cursor = 0;
    this.#waitingBytes += this.#keptBytes;
    this.#keptBytes = 0;
  }

  /** Forgets what is here and fetches from another offset. */
  moveTo(position: Offset): void {
    this.#records = [];
    this.#cursor = 0;
    this.#keptBytes = 0;
    this.#waitingBytes = 0;
    this.#trimmedTo = undefined;
    this.position = position;
  }

  /** Takes over that everything below `next` is committed. */
  committed(next: Offset): void {
    if (next <= this.origin) return;
    this.origin = next;
    if (this.lost && next >= this.lost.next) this.lost = undefined;
    let done = 0;
    for (let record = this.#records[0]; record && record.offset < next; record = this.#records[done]) {
      if (done < this.#cursor) this.#keptBytes -= sizeOf(record);
      else this.#waitingBytes -= sizeOf(record);
      done++;
    }
    this.#records.splice(0, done);
    this.#cursor = Math.max(0, this.#cursor - done);
    if (this.#trimmedTo !== undefined && next >= this.#trimmedTo) this.#trimmedTo = undefined;
    if (next > this.position) this.moveTo(next);
  }
}

/** What counts for the limits of a batch. */
export function sizeOf(record: LogRecord | undefined): number {
  return record?.value?.byteLength ?? 0;
}
