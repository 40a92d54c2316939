import { afterEach } from 'vitest';
import type { AppendRecord, Log, LogReader, LogRecord, Offset, RecordPlace, Subscription } from './log.ts';

/** A fresh, empty log. */
export interface OpenedLog {
  readonly log: Log;
  /** The same log as another process finds it after this one was killed; absent where nothing outlives the process. */
  readonly reopen?: () => Promise<Log>;
  /** Deletes what stands before a place, read or not, as retention may; absent where retention waits for every group. */
  readonly deleteBefore?: (place: RecordPlace) => Promise<void>;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = ({ value }: LogRecord): string | null =>
  value === null ? null : new TextDecoder().decode(value);
export const texts = (records: readonly LogRecord[]): (string | null)[] => records.map(textOf);

export function aRecord(fields: Partial<AppendRecord> & { readonly text?: string } = {}): AppendRecord {
  const { text = 'value', ...rest } = fields;
  return { topic: 'events', key: 'key', value: bytes(text), ...rest };
}

export const numbered = (count: number, fields: Partial<AppendRecord> = {}): AppendRecord[] =>
  Array.from({ length: count }, (_, i) => aRecord({ text: String(i), ...fields }));

export function aSubscription(fields: Partial<Subscription> = {}): Subscription {
  return {
    group: 'group',
    topics: ['events'],
    maxBatchRecords: 100,
    maxBatchBytes: 1_000_000,
    lingerMs: 0,
    ...fields,
  };
}

/** What to commit when all of a batch is done. */
export function after(batch: readonly LogRecord[]) {
  const next = new Map<string, { topic: string; partition: number; next: Offset }>();
  for (const { topic, partition, offset } of batch)
    next.set(`${topic}/${partition}`, { topic, partition, next: (offset + 1n) as Offset });
  return [...next.values()];
}

/** Reads and commits until `count` records have come. */
export async function take(reader: LogReader, count: number): Promise<LogRecord[]> {
  const taken: LogRecord[] = [];
  const stop = new AbortController();
  for await (const batch of reader.batches(stop.signal)) {
    taken.push(...batch);
    await reader.commit(after(batch));
    if (taken.length >= count) break;
  }
  stop.abort();
  return taken;
}

/** The first batch, not committed. */
export async function firstBatch(reader: LogReader): Promise<readonly LogRecord[]> {
  for await (const batch of reader.batches(new AbortController().signal)) return batch;
  throw new Error('the reader ended without a batch');
}

/** Opens logs for one suite and closes them, readers first, after each test. */
export function logsOf(open: () => Promise<OpenedLog>) {
  const opened: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
  });
  return {
    /** A log with the topics `events` (kept for an hour) and `state` (compacted). */
    fresh: async (partitions = 1): Promise<OpenedLog> => {
      const result = await open();
      opened.push(result.log);
      await result.log.createTopics([
        { name: 'events', partitions, cleanup: 'delete', retentionMs: 3_600_000 },
        { name: 'state', partitions, cleanup: 'compact' },
      ]);
      return result;
    },
    reading: (log: Log, fields: Partial<Subscription> = {}): LogReader => {
      const reader = log.subscribe(aSubscription(fields));
      opened.unshift(reader);
      return reader;
    },
    closing: (log: Log): Log => {
      opened.push(log);
      return log;
    },
  };
}
