import type { LogRecord, Offset } from '../log.ts';

/** A message as kafkajs decodes it, with the fields that its types leave out. */
export interface WireMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: string;
  readonly headers?: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>>;
  /** Written by a transaction's end; not a record. */
  readonly isControlRecord?: boolean;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
}

/** One partition of a fetch reply. */
export interface WirePartition {
  readonly partition: number;
  readonly highWatermark: string;
  /** End of what readers of committed records may see; absent in old protocol versions. */
  readonly lastStableOffset?: string;
  readonly abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
  readonly messages: readonly WireMessage[];
}

/** What a fetch brought of one partition. */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly LogRecord[];
  /** Of keys and values. */
  readonly bytes: number;
  /** The offset to go on from; above the last record where control records or compacted ones follow. */
  readonly next: Offset;
  /** The offset behind the last record that may be read now. */
  readonly end: Offset;
}

/** Key of the control record that aborts a transaction: version 0, type 0. */
const ABORT = Buffer.from([0, 0, 0, 0]);

/**
 * Records of one partition from `position` on. Left out: what was compressed together with them and lies before, control records, and
 * records of transactions that were aborted.
 */
export function decodeRecords(topic: string, position: Offset, reply: WirePartition): FetchedPartition {
  const { partition, messages } = reply;
  const end = BigInt(reply.lastStableOffset ?? reply.highWatermark) as Offset;
  const aborted = [...(reply.abortedTransactions ?? [])];
  const aborting = new Set<string>();
  const records: LogRecord[] = [];
  let next = position;
  let bytes = 0;
  for (const message of messages) {
    const offset = BigInt(message.offset) as Offset;
    while (aborted[0] && offset >= BigInt(aborted[0].firstOffset)) aborting.add(aborted.shift()?.producerId ?? '');
    const { producerId = '', inTransaction = false } = message.batchContext ?? {};
    if (message.isControlRecord && message.key?.equals(ABORT)) aborting.delete(producerId);
    if (offset < position) continue;
    next = (offset + 1n) as Offset;
    if (message.isControlRecord || (inTransaction && aborting.has(producerId))) continue;
    records.push({
      topic,
      partition,
      offset,
      key: message.key?.toString('utf8') ?? '',
      value: message.value && bytesOf(message.value),
      headers: textHeaders(message.headers),
      timestamp: Number(message.timestamp),
    });
    bytes += (message.key?.byteLength ?? 0) + (message.value?.byteLength ?? 0);
  }
  // Compaction leaves batches without records (they keep the sequence of their producer), and the reply does not tell how far one
  // reaches: the next offset is tried. Such a batch spans no more than one append did.
  if (next === position && next < end) next = (next + 1n) as Offset;
  return { topic, partition, records, bytes, next, end };
}

/** The same memory without what Buffer adds to it. */
export function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function textHeaders(headers: WireMessage['headers']): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, values] of Object.entries(headers ?? {})) {
    const value = Array.isArray(values) ? (values as readonly (Buffer | string)[]).at(-1) : (values as Buffer | string);
    if (value !== undefined) texts[name] = value.toString();
  }
  return texts;
}
