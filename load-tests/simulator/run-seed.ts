import { LRUCache } from 'lru-cache';
import type { Cache } from '../../ports/cache/cache.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import type { Log } from '../../ports/log/log.ts';
import { deadLettersIn } from '../../pipeline/dead-letters.ts';
import { createPiiPolicy } from '../../pipeline/pii/policy.ts';
import { pipelineTopics } from '../../pipeline/topics.ts';
import { topology } from '../../pipeline/topology.ts';
import { runWorker } from '../../pipeline/worker.ts';
import type { FilledPipeline } from '../../runtime/config/config.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../../schemas/topics.ts';
import { Checker, type Violation } from './checker.ts';
import { NO_FAULTS, SimulatedProcess, type FaultRates } from './process.ts';
import { below, pick, seededRandom } from './random.ts';
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

const RATES: FaultRates = { crash: 0.015, refuse: 0.01, appliedButFailed: 0.01, torn: 0.02, zombie: 0.005 };
const MAX_STEPS = 40_000;
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

/**
 * One run: `events` changes of a simulated table go through the real stages and the embedded adapters, in an order, with faults and
 * at times that the seed decides. Every few steps the index is compared with the source's history; at the end everything is.
 */
export async function runSeed(seed: number, events: number): Promise<SeedResult> {
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
  const checker = new Checker(source, store, seededRandom(seed ^ 0x5eed));
  const isMild = random() < 0.2;
  let rates = isMild ? NO_FAULTS : RATES;
  let crashes = 0;
  const processes = new Set<SimulatedProcess>();

  const start = (role: 'prepare' | 'index'): void => {
    const process = new SimulatedProcess(
      scheduler,
      random,
      () => rates,
      () => {
        crashes++;
        void scheduler.turn('restart').then(() => start(role));
      },
    );
    processes.add(process);
    const embedder = hashEmbedder({ dimensions: 32 });
    const computed = new Set<string>();
    const onComputed = (texts: readonly string[]): void => {
      for (const text of texts) if (computed.has(text)) checker.fail('I7', `a text was embedded twice by one process`);
      for (const text of texts) if (rates === NO_FAULTS) computed.add(text);
    };
    const ports = { log: process.log(log), clock: process.clock(clock) };
    const metrics = createMetrics();
    const deadLetters = deadLettersIn({ log: ports.log, clock: ports.clock, logger: silentLogger, metrics });
    const routes = topology({
      ...ports,
      sourceTopics: [TOPIC],
      partitions,
      tables: new Map([[TOPIC, TABLE]]),
      store: process.store(store),
      embedder: process.embedder(embedder, onComputed),
      cache: mapCache(),
      deadLetters,
      config,
      piiPolicy: createPiiPolicy(config.pii),
      random,
      logger: silentLogger,
      metrics,
    });
    for (const route of routes
      .filter((one) => one.role === role)
      .flatMap((one) => Array.from({ length: one.workers }, () => one))) {
      const forever = new AbortController().signal;
      void runWorker(
        {
          ...route,
          ...ports,
          deadLetters,
          maxBatchRecords: config.maxBatchRecords,
          maxBatchBytes: config.maxBatchBytes,
          attempts: config.attempts,
          random,
          logger: silentLogger,
          metrics,
        },
        forever,
      ).catch((error: unknown) => {
        if (process.alive)
          checker.fail(
            'I8',
            `a worker ended: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
          );
      });
    }
  };

  let sent = false;
  const produce = async (): Promise<void> => {
    while (source.events < events) {
      // The pipeline gets some turns between two transactions, so that faults meet it at work and not only behind.
      for (let pause = below(random, 10); pause >= 0; pause--) await scheduler.turn('source');
      const records = source.next();
      // A large transaction is appended in pieces.
      const cut = records.length > 4 && random() < 0.3 ? below(random, records.length) : records.length;
      await log.append(records.slice(0, cut));
      if (cut < records.length) {
        await scheduler.turn('source.');
        await log.append(records.slice(cut));
      }
    }
    sent = true;
  };

  start('prepare');
  start('index');
  const produced = produce();
  let steps = 0;
  try {
    await scheduler.run(
      (isIdle) => sent && (isIdle || steps % LOOK_EVERY_STEPS === 0) && drained(log, () => (rates = NO_FAULTS)),
      async () => {
        if (++steps % LOOK_EVERY_STEPS === 0) await checker.look();
      },
      MAX_STEPS,
    );
    await produced;
    const letters = await deadLettersIn({ log, clock, logger: silentLogger, metrics: createMetrics() }).list(
      'open',
      1_000,
      new AbortController().signal,
    );
    await checker.final(letters);
  } catch (error) {
    checker.fail('I1', error instanceof Error ? error.message : String(error));
  }
  for (const process of processes) process.alive = false;
  return {
    seed,
    events: source.events,
    steps: scheduler.steps,
    crashes,
    trace: scheduler.trace,
    violations: checker.violations,
  };
}

/** Whether every group has passed everything; once the source is quiet, faults stop so that the run can end. */
async function drained(log: Log, quiet: () => void): Promise<boolean> {
  quiet();
  const groups: Readonly<Record<string, string>> = {
    [TOPIC]: 'freshet-prepare',
    [DOCUMENTS_TOPIC]: 'freshet-index',
    [VECTORS_TOPIC]: 'freshet-embed',
  };
  return (await log.describe(Object.keys(groups))).every(
    ({ topic, earliest, next, groups: committed }) => (committed[groups[topic] ?? ''] ?? earliest) >= next,
  );
}

function mapCache(): Cache {
  const entries = new LRUCache<string, Uint8Array>({ max: 10_000 });
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
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
