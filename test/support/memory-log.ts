import { LogUnavailable } from '../../runtime/errors.ts';
import type { AppendRecord, Log, LogRecord, Offset, RecordPlace, TopicSpec } from '../../ports/log/log.ts';

/**
 * A log in memory for tests of what writes to it: appends, reads and faults, no consumer groups. `beforeAppend` may throw to make an
 * append fail, or wait to hold it up.
 */
export class MemoryLog implements Log {
  readonly records: LogRecord[] = [];
  beforeAppend: (records: readonly AppendRecord[]) => Promise<void> | void = () => undefined;
  appends = 0;
  private readonly topics = new Map<string, number>();
  private readonly waiting = new Set<() => void>();

  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions } of topics) this.topics.set(name, partitions);
  }

  async append(records: readonly AppendRecord[], signal?: AbortSignal): Promise<readonly RecordPlace[]> {
    signal?.throwIfAborted();
    await this.beforeAppend(records);
    this.appends++;
    const places = records.map((record) => this.store(record));
    for (const wake of this.waiting) wake();
    return places;
  }

  private store(record: AppendRecord): RecordPlace {
    const partitions = this.topics.get(record.topic);
    if (partitions === undefined) throw new LogUnavailable(`There is no topic ${record.topic}.`);
    const partition = record.partition ?? Buffer.from(record.key).reduce((sum, byte) => sum + byte, 0) % partitions;
    const place = { topic: record.topic, partition, offset: BigInt(this.records.length) as Offset };
    this.records.push({ ...place, key: record.key, value: record.value, headers: record.headers ?? {}, timestamp: 0 });
    return place;
  }

  /** Resolves once `condition` holds; looked at after every append. */
  async until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!condition()) {
      signal?.throwIfAborted();
      await new Promise<void>((done) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          done();
        };
        this.waiting.add(wake);
        signal?.addEventListener('abort', wake, { once: true });
      });
    }
  }

  async latest(topic: string, keys: readonly string[]): Promise<readonly (LogRecord | undefined)[]> {
    return keys.map((key) => {
      const found = this.records.findLast((record) => record.topic === topic && record.key === key);
      return found?.value ? found : undefined;
    });
  }

  async fetch(from: RecordPlace, limit: number): Promise<readonly LogRecord[]> {
    return this.records
      .filter(
        ({ topic, partition, offset }) => topic === from.topic && partition === from.partition && offset >= from.offset,
      )
      .slice(0, limit);
  }

  subscribe(): never {
    throw new Error('The log in memory has no consumer groups.');
  }

  async describe(): Promise<never[]> {
    return [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing to close
  }
}
