import type { DocumentStore, DocumentWrite, WriteOutcome } from '../../ports/document-store/document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { AppendRecord, Log, LogReader, LogRecord, RecordPlace } from '../../ports/log/log.ts';
import { partitionOfKey } from '../../ports/log/partition-of-key.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { EmbedderUnavailable, LogUnavailable, StoreUnavailable, type FreshetError } from '../../runtime/errors.ts';
import { below, pick } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** The engines that a process calls. */
export type Engine = 'log' | 'store' | 'embedder';

/** Chances of a fault at one call of a port. */
export interface FaultRates {
  /** The process dies before or after the call, at an await. */
  readonly crash: number;
  /** The call fails and has done nothing. */
  readonly refuse: number;
  /** The call fails and has done everything. */
  readonly appliedButFailed: number;
  /** A write of several documents is cut: some are stored, then the process dies. */
  readonly torn: number;
  /** An append is cut: of each partition the first records are in the log, then the call fails and may be repeated. */
  readonly tornAppend: number;
  /** The process loses its partitions to a successor and goes on for a while without knowing. */
  readonly zombie: number;
  /** An engine begins to refuse calls, some of them or all, and goes on doing so for a while. */
  readonly outage: number;
}

export const NO_FAULTS: FaultRates = {
  crash: 0,
  refuse: 0,
  appliedButFailed: 0,
  torn: 0,
  tornAppend: 0,
  zombie: 0,
  outage: 0,
};

/** What the processes of one run share: the faults that hit them, and who looks at the index at once. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly rates: () => FaultRates;
  readonly outages: Outages;
  /** A position was claimed, or a process died in the middle of something: what a reader sees now must hold. */
  readonly onMoment: () => void;
  /** Told of all writes before the store is. */
  readonly onWrite: (writes: readonly DocumentWrite[]) => void;
}

/**
 * Longer than three tries of a batch take with their pauses, shorter than the tries that a record gets alone after that, ms: an
 * outage makes the worker look for the record at fault, and is over before one is given up for it.
 */
const OUTAGE_MS = 165;

/** Engines that are down, or answer some calls and refuse others. */
export class Outages {
  readonly #until = new Map<Engine, { readonly at: number; readonly refuse: number }>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  begin(engine: Engine): void {
    if (this.#until.has(engine) && this.refuses(engine) > 0) return;
    this.#until.set(engine, { at: this.#clock.monotonicMs() + OUTAGE_MS, refuse: pick(this.#random, [0.5, 1]) });
  }

  /** Chance that the engine refuses a call now. */
  refuses(engine: Engine): number {
    const outage = this.#until.get(engine);
    return outage && this.#clock.monotonicMs() < outage.at ? outage.refuse : 0;
  }
}

/** Share of claims after which every document is looked at: each look costs as much as the work between two claims. */
const LOOKED_AT = 0.4;
/** A process that is stopped for a while misses up to so many turns. */
const STOPPED_TURNS = 200;

/**
 * Where the code of a process that has died waits: nothing behind it ever runs. A promise of its own each time, since one for all would
 * keep everything that ever waited for it.
 */
const never = (): Promise<never> => new Promise(() => undefined);

/**
 * One process of the product: its ports are the real ones behind turns and faults. Killing it freezes all of its code at the await
 * it stands at, and takes it out of its consumer groups.
 */
export class SimulatedProcess {
  alive = true;
  readonly #around: Surroundings;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #rates: () => FaultRates;
  readonly #onDeath: () => void;
  readonly #readers = new Set<LogReader>();

  constructor(around: Surroundings, onDeath: () => void) {
    this.#around = around;
    this.#scheduler = around.scheduler;
    this.#random = around.random;
    this.#rates = around.rates;
    this.#onDeath = onDeath;
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#loseReaders();
    this.#around.onMoment();
    this.#onDeath();
  }

  #loseReaders(): void {
    for (const reader of this.#readers) void reader[Symbol.asyncDispose]();
    this.#readers.clear();
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random() < chance;
  }

  /** A call of a port: an await before it and one after it, and maybe a fault at either. */
  async call<T>(
    engine: Engine,
    label: string,
    run: () => Promise<T>,
    failure: (message: string) => FreshetError,
  ): Promise<T> {
    await this.#scheduler.turn(label);
    if (!this.alive) return never();
    const rates = this.#rates();
    if (this.#happens(rates.crash)) return this.#die();
    if (this.#happens(rates.zombie)) await this.#becomeZombie();
    if (this.#happens(rates.outage)) this.#around.outages.begin(engine);
    if (this.#happens(rates.refuse) || this.#happens(this.#around.outages.refuses(engine)))
      throw failure('Simulated: refused.');
    const result = await run();
    await this.#scheduler.turn(`${label}.`);
    if (!this.alive) return never();
    if (this.#happens(rates.crash)) return this.#die();
    if (this.#happens(rates.appliedButFailed)) throw failure('Simulated: the reply was lost.');
    return result;
  }

  #die(): Promise<never> {
    this.kill();
    return never();
  }

  /** A successor takes over while this one still works on its batch, as after SIGSTOP and SIGCONT. */
  async #becomeZombie(): Promise<void> {
    this.#loseReaders();
    this.#onDeath();
    for (let turns = below(this.#random, STOPPED_TURNS); turns > 0; turns--) await this.#scheduler.turn('stopped');
  }

  clock(clock: Clock): Clock {
    return {
      ...clock,
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        if (!this.alive) await never();
      },
    };
  }

  log(log: Log): Log {
    const failure = (message: string): FreshetError => new LogUnavailable(message);
    return {
      createTopics: (topics, signal) => log.createTopics(topics, signal),
      append: (records, signal) => this.call('log', 'append', () => this.#append(log, records, signal), failure),
      fetch: (from, limit, signal) => this.call('log', 'fetch', () => log.fetch(from, limit, signal), failure),
      latest: (topic, keys, signal) => this.call('log', 'latest', () => log.latest(topic, keys, signal), failure),
      describe: (topics, signal) => this.call('log', 'describe', () => log.describe(topics, signal), failure),
      subscribe: (subscription) => this.#reader(log.subscribe(subscription)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  async #append(log: Log, records: readonly AppendRecord[], signal?: AbortSignal): Promise<readonly RecordPlace[]> {
    if (records.length < 2 || !this.#happens(this.#rates().tornAppend)) return log.append(records, signal);
    const partitions = new Map<string, number>();
    for (const { topic } of await log.describe([...new Set(records.map(({ topic }) => topic))]))
      partitions.set(topic, (partitions.get(topic) ?? 0) + 1);
    const kept = new Map<string, number>();
    const stored = records.filter(({ topic, key, partition }) => {
      const place = `${topic}/${partition ?? partitionOfKey(key, partitions.get(topic) ?? 1)}`;
      const left = kept.get(place) ?? below(this.#random, records.length);
      kept.set(place, left - 1);
      return left > 0;
    });
    await log.append(stored, signal);
    throw new LogUnavailable('Simulated: the append was cut.');
  }

  #reader(reader: LogReader): LogReader {
    this.#readers.add(reader);
    return {
      batches: (signal) => this.#batches(reader, signal),
      commit: (offsets, signal) =>
        this.call(
          'log',
          'commit',
          () => reader.commit(offsets, signal),
          (message) => new LogUnavailable(message),
        ),
      rewind: (partitions) => reader.rewind(partitions),
      [Symbol.asyncDispose]: async () => {
        this.#readers.delete(reader);
        await reader[Symbol.asyncDispose]();
      },
    };
  }

  async *#batches(reader: LogReader, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    for await (const batch of reader.batches(signal)) {
      await this.#scheduler.turn('batch');
      if (!this.alive) await never();
      yield batch;
      if (!this.alive) await never();
    }
    if (!this.alive) await never();
  }

  store(store: DocumentStore): DocumentStore {
    const failure = (message: string): FreshetError => new StoreUnavailable(message);
    return {
      write: (writes, signal) => this.call('store', 'write', () => this.#write(store, writes, signal), failure),
      read: (ids, options, signal) => this.call('store', 'read', () => store.read(ids, options, signal), failure),
      vectors: (keys, signal) => this.call('store', 'vectors', () => store.vectors(keys, signal), failure),
      search: (query, signal) => store.search(query, signal),
      best: (query, fusion, signal) => store.best(query, fusion, signal),
      searchable: (signal) => store.searchable(signal),
      progress: (signal) => store.progress(signal),
      list: (request, signal) => store.list(request, signal),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  async #write(
    store: DocumentStore,
    writes: readonly DocumentWrite[],
    signal: AbortSignal | undefined,
  ): Promise<readonly WriteOutcome[]> {
    this.#around.onWrite(writes);
    if (writes.some(({ kind }) => kind === 'advance') && this.#happens(LOOKED_AT)) this.#around.onMoment();
    if (!this.#happens(this.#rates().torn)) return store.write(writes, signal);
    await store.write(writes.slice(0, below(this.#random, writes.length + 1)), signal);
    return this.#die();
  }

  embedder(embedder: Embedder, onComputed: (texts: readonly string[]) => void): Embedder {
    return {
      model: embedder.model,
      tokenizer: embedder.tokenizer,
      embed: (texts, kind, signal) =>
        this.call(
          'embedder',
          'embed',
          () => {
            onComputed(texts);
            return embedder.embed(texts, kind, signal);
          },
          (message) => new EmbedderUnavailable(message),
        ),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}
