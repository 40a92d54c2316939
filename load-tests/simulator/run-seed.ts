import type { Cache } from '../../ports/cache/cache.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import type { Log } from '../../ports/log/log.ts';
import { nextOf } from '../../ports/log/partitions.ts';
import { deadLettersIn } from '../../pipeline/dead-letters.ts';
import { createPiiPolicy } from '../../pipeline/pii/policy.ts';
import { pipelineTopics } from '../../pipeline/topics.ts';
import { topology } from '../../pipeline/topology.ts';
import { runWorker } from '../../pipeline/worker.ts';
import type { FilledPipeline } from '../../runtime/config/config.ts';
import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Random } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics, type Metrics } from '../../runtime/metrics.ts';
import { DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../../schemas/topics.ts';
import { Checker, type Violation } from './checker.ts';
import { NO_FAULTS, Outages, SimulatedProcess, type FaultRates } from './process.ts';
import { below, pick } from './random.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { Scheduler } from './scheduler.ts';
import { SimulatedSource, TABLE, TOPIC } from './source.ts';

export interface SeedResult {
  readonly seed: number;
  readonly events: number;
  readonly steps: number;
  readonly crashes: number;
  readonly trace: string;
  readonly violations: readonly Violation[];
}

const RATES: FaultRates = {
  crash: 0.02,
  refuse: 0.015,
  appliedButFailed: 0.015,
  torn: 0.04,
  tornAppend: 0.03,
  zombie: 0.005,
  outage: 0.012,
};
const MAX_STEPS = 40_000;
const forever = new AbortController().signal;
/** Faults go on for up to so many steps after the source is quiet, while the backlog is worked off. */
const FAULTY_STEPS_BEHIND = 6_000;
const LOOK_EVERY_STEPS = 25;

const CONFIG: FilledPipeline = {
  pii: { mode: 'mask' },
  chunk: { maxTokens: 24, overlapTokens: 4 },
  embed: { maxBatchTokens: 256, inlineBudgetMs: 100 },
  maxDocumentBytes: 1_000_000,
  maxBatchRecords: 16,
  maxBatchBytes: 1_000_000,
  attempts: 3,
};

/** One for all processes: it holds no state between two calls, and making one takes as long as ten steps. */
const PII_POLICY = createPiiPolicy(CONFIG.pii);

/** What the parts of one run share. */
interface World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly partitions: number;
  readonly config: FilledPipeline;
  readonly log: Log;
  readonly store: DocumentStore;
  readonly source: SimulatedSource;
  readonly checker: Checker;
  readonly processes: Set<SimulatedProcess>;
  readonly outages: Outages;
  /** One for all processes: nobody looks at them. */
  readonly metrics: Metrics;
  /** Somebody has claimed a position, or died: the index is looked at before anything else happens. */
  isMoment: boolean;
  rates: FaultRates;
  crashes: number;
  /** The source has sent everything. */
  sent: boolean;
}

/**
 * One run: `events` changes of a simulated table go through the real stages and the embedded adapters, in an order, with faults and
 * at times that the seed decides. Every few steps the index is compared with the source's history; at the end everything is.
 */
export async function runSeed(seed: number, events: number): Promise<SeedResult> {
  await new Promise((resolve) => setImmediate(resolve)); // the only turn of the event loop: the steps of a run leave it none
  const random = seededRandom(seed);
  const scheduler = new Scheduler(random);
  const { clock } = scheduler;
  const partitions = pick(random, [1, 1, 2, 3]);
  const config: FilledPipeline = {
    ...CONFIG,
    maxBatchRecords: pick(random, [3, 8, 24, 64]),
    embed: { ...CONFIG.embed, inlineBudgetMs: pick(random, [0, 100]) },
  };
  await using log = openSqliteLog({ path: ':memory:', clock });
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: 32, clock });
  await log.createTopics([{ name: TOPIC, partitions, cleanup: 'delete' }, ...pipelineTopics(partitions, 86_400_000)]);
  const source = new SimulatedSource(random, partitions);
  const checker = new Checker(source, store, hashEmbedder({ dimensions: 32 }), seededRandom(seed ^ 0x5eed));
  const rates = random() < 0.2 ? NO_FAULTS : RATES;
  const world: World = {
    random,
    scheduler,
    partitions,
    config,
    log,
    store,
    source,
    checker,
    processes: new Set(),
    outages: new Outages(clock, random),
    metrics: createMetrics(),
    isMoment: false,
    rates,
    crashes: 0,
    sent: false,
  };
  startProcess(world, 'prepare');
  startProcess(world, 'index');
  const produced = produce(world, events);
  try {
    await watch(world);
    await produced;
    const letters = deadLettersIn({ log, clock, logger: silentLogger, metrics: world.metrics });
    await checker.final(await letters.list('open', 1_000, forever));
  } catch (error) {
    checker.fail('I1', error instanceof Error ? error.message : String(error));
  }
  for (const process of world.processes) process.alive = false;
  return {
    seed,
    events: source.events,
    steps: scheduler.steps,
    crashes: world.crashes,
    trace: scheduler.trace,
    violations: checker.violations,
  };
}

/** Hands out turns until everything is processed, and looks at the index on the way. */
async function watch(world: World): Promise<void> {
  let steps = 0;
  let quietAt: number | undefined;
  await world.scheduler.run(
    (isIdle) => {
      if (!world.sent) return false;
      quietAt ??= steps + below(world.random, FAULTY_STEPS_BEHIND);
      if (!isIdle && steps % LOOK_EVERY_STEPS !== 0) return false;
      if (steps >= quietAt) world.rates = NO_FAULTS; // so that the run can end
      return drained(world.log);
    },
    async () => {
      if (++steps % LOOK_EVERY_STEPS === 0) await world.checker.look();
      if (!world.isMoment) return;
      world.isMoment = false;
      await world.checker.lookAtAll();
    },
    MAX_STEPS,
  );
}

/** One process of the product with one role; when it dies, another one takes its place. */
function startProcess(world: World, role: 'prepare' | 'index'): void {
  const { random, scheduler, partitions, config, log, store, checker } = world;
  const process = new SimulatedProcess(
    {
      scheduler,
      random,
      rates: () => world.rates,
      outages: world.outages,
      onMoment: () => {
        world.isMoment = true;
      },
      onWrite: (writes) => checker.onWrite(writes),
    },
    () => {
      world.crashes++;
      void scheduler.turn('restart').then(() => startProcess(world, role));
    },
  );
  world.processes.add(process);
  const computed = new Set<string>();
  const onComputed = (texts: readonly string[]): void => {
    for (const text of texts) if (computed.has(text)) checker.fail('I7', `a text was embedded twice by one process`);
    for (const text of texts) if (world.rates === NO_FAULTS) computed.add(text);
  };
  const ports = {
    log: process.log(log),
    clock: process.clock(scheduler.clock),
    random,
    logger: silentLogger,
    metrics: world.metrics,
  };
  const deadLetters = deadLettersIn(ports);
  const routes = topology({
    ...ports,
    sourceTopics: [TOPIC],
    prepareWorkers: partitions,
    indexWorkers: 1,
    vectorsOnArrival: true,
    tables: new Map([[TOPIC, TABLE]]),
    store: process.store(store),
    embedder: process.embedder(hashEmbedder({ dimensions: 32 }), onComputed),
    cache: mapCache(),
    deadLetters,
    config,
    piiPolicy: PII_POLICY,
  });
  const { maxBatchRecords, maxBatchBytes, attempts } = config;
  const { signal } = new AbortController();
  for (const route of routes) {
    if (route.role !== role) continue;
    for (let n = 0; n < route.workers; n++) {
      void runWorker({ ...route, ...ports, deadLetters, maxBatchRecords, maxBatchBytes, attempts }, signal).catch(
        (error: unknown) => {
          if (process.alive)
            checker.fail(
              'I8',
              `a worker ended: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
            );
        },
      );
    }
  }
}

/** Sends `events` changes, large transactions in pieces; the pipeline gets some turns in between, so that faults meet it at work. */
async function produce(world: World, events: number): Promise<void> {
  const { source, random, scheduler, log } = world;
  while (source.events < events) {
    for (let pause = below(random, 10); pause >= 0; pause--) await scheduler.turn('source');
    const records = source.next();
    const cut = records.length > 4 && random() < 0.3 ? below(random, records.length) : records.length;
    await log.append(records.slice(0, cut));
    if (cut === records.length) continue;
    await scheduler.turn('source.');
    await log.append(records.slice(cut));
  }
  world.sent = true;
}

/** Whether every group has passed everything. */
async function drained(log: Log): Promise<boolean> {
  const groups: Readonly<Record<string, string>> = {
    [TOPIC]: 'freshet-prepare',
    [DOCUMENTS_TOPIC]: 'freshet-index',
    [VECTORS_TOPIC]: 'freshet-embed',
  };
  return (await log.describe(Object.keys(groups))).every(
    (state) => nextOf(state, groups[state.topic] ?? '') >= state.next,
  );
}

function mapCache(): Cache {
  const entries = new Map<string, Uint8Array>();
  return {
    get: (keys) => Promise.resolve(keys.map((key) => entries.get(key))),
    set: (all) => {
      for (const { key, value } of all) entries.set(key, value);
      return Promise.resolve();
    },
    delete: (keys) => {
      for (const key of keys) entries.delete(key);
      return Promise.resolve();
    },
    deleteTagged: () => Promise.resolve(), // vectors have no tags
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
