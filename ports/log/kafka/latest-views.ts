import { join } from 'node:path';
import { NotFound } from '../../../runtime/errors.ts';
import { whenFree } from '../../when-free.ts';
import type { AppendRecord, LogRecord, Offset } from '../log.ts';
import { LatestView } from './latest-view.ts';
import { namesIn } from './names.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import type { PartitionSource } from './partition-source.ts';

/** One topic's view, and the work of keeping it at the end of the log. */
interface Followed {
  readonly topic: string;
  readonly view: LatestView;
  /** Partitions whose stored position was compared with the log in this process. */
  readonly recognised: Set<number>;
  running: Promise<void> | undefined;
  /** The next catching up; begins when the running one has ended. Whoever comes meanwhile shares it. */
  waiting: Promise<void> | undefined;
  isRepairing: boolean;
}

/**
 * Answers `Log.latest` from views in files, one for each topic that was ever asked for. A view is brought to the end that the log had
 * after the question began, so that the answer includes every append that had resolved then.
 */
export class LatestViews {
  readonly #options: FilledKafkaLogOptions;
  readonly #source: PartitionSource;
  readonly #append: (records: readonly AppendRecord[]) => Promise<unknown>;
  readonly #followed = new Map<string, Followed>();
  readonly #repairing = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(
    options: FilledKafkaLogOptions,
    source: PartitionSource,
    append: (records: readonly AppendRecord[]) => Promise<unknown>,
  ) {
    this.#options = options;
    this.#source = source;
    this.#append = append;
  }

  /** As `Log.latest`. */
  async latest(
    topic: string,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (LogRecord | undefined)[]> {
    const followed = this.#follow(topic);
    await this.#upToDate(followed);
    signal?.throwIfAborted();
    return followed.view.latest(keys);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#repairing);
    for (const { view, running, waiting } of this.#followed.values()) {
      await Promise.allSettled([running, waiting]);
      view.close();
    }
    this.#followed.clear();
  }

  #follow(topic: string): Followed {
    const known = this.#followed.get(topic);
    if (known) return known;
    const folder = join(this.#options.stateDir, 'views');
    const view = new LatestView(folder, topic, namesIn(this.#options.namespace).toWire(topic));
    const followed = {
      topic,
      view,
      recognised: new Set<number>(),
      running: undefined,
      waiting: undefined,
      isRepairing: false,
    };
    this.#followed.set(topic, followed);
    return followed;
  }

  /** A run that has begun may have looked for the end before this call: it waits for the next one. */
  async #upToDate(followed: Followed): Promise<void> {
    if (!followed.running) {
      followed.running = this.#catchUp(followed).finally(() => (followed.running = undefined));
      return followed.running;
    }
    followed.waiting ??= followed.running
      .catch(() => undefined)
      .then(() => {
        followed.waiting = undefined;
        return this.#upToDate(followed);
      });
    return followed.waiting;
  }

  async #catchUp(followed: Followed): Promise<void> {
    const { topic, view } = followed;
    await this.#source.know([topic]);
    if (this.#source.partitions(topic).length === 0) await this.#source.know([topic], true);
    const places = this.#source.partitions(topic).map((partition) => ({ topic, partition }));
    if (places.length === 0) throw new NotFound(`there is no topic ${topic}`);
    const ends = await this.#source.ends(places, 'next');
    const endOf = (partition: number): Offset => ends.get(`${topic}/${partition}`)?.next ?? (0n as Offset);
    if (!(await this.#isStillThat(followed, endOf))) {
      this.#options.logger.warn('A topic is not the one that its view was made from; the view is filled again.', {
        topic,
      });
      view.clear();
    }
    await Promise.all(places.map(({ partition }) => this.#catchUpPartition(followed, partition, endOf(partition))));
    this.#repair(followed);
  }

  async #catchUpPartition({ topic, view }: Followed, partition: number, end: Offset): Promise<void> {
    for (;;) {
      const offset = view.position(partition).next;
      if (offset >= end) return;
      const page = await this.#source.page({ topic, partition, offset });
      if (page.next <= offset) return; // the partition has become shorter; the next call sees that
      await whenFree(this.#options.clock, () => view.take(offset, page));
    }
  }

  /** Whether the view was made from this topic: no longer than it, and with the same record where the view ends. */
  async #isStillThat({ topic, view, recognised }: Followed, endOf: (partition: number) => Offset): Promise<boolean> {
    for (const partition of this.#source.partitions(topic)) {
      const { next, lastOffset, lastMs } = view.position(partition);
      if (next > endOf(partition)) return false;
      if (recognised.has(partition)) continue;
      recognised.add(partition);
      if (lastOffset === undefined) continue;
      const [record] = (await this.#source.page({ topic, partition, offset: lastOffset })).records;
      // Compaction may have removed it; then there is nothing to tell them apart by.
      if (record?.offset === lastOffset && record.timestamp !== lastMs) return false;
    }
    return true;
  }

  /**
   * Compaction keeps the last record of a key, not the one with the highest version. Where an older one was appended late, by a process
   * that had lost its partition, the newer one is appended again. `min.compaction.lag.ms` is how long this may take.
   */
  #repair(followed: Followed): void {
    if (followed.isRepairing || this.#isClosed) return;
    const repairs = followed.view.repairs();
    if (repairs.length === 0) return;
    followed.isRepairing = true;
    const { topic, view } = followed;
    const records = repairs.map(({ record: { key, value, headers, partition }, version }): AppendRecord => ({
      topic,
      key,
      value,
      headers,
      partition,
      version,
    }));
    const repairing = this.#append(records).then(
      () => {
        followed.isRepairing = false;
        for (const repair of repairs) view.repaired(repair);
        this.#options.logger.info('Records that a late writer had covered were appended again.', {
          topic,
          records: repairs.length,
        });
      },
      (error: unknown) => {
        followed.isRepairing = false;
        this.#options.logger.warn('Records that a late writer has covered are appended again later.', {
          topic,
          records: repairs.length,
          error: error as Error,
        });
      },
    );
    this.#repairing.add(repairing);
    void repairing.finally(() => this.#repairing.delete(repairing));
  }
}
