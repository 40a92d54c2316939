import { existsSync } from 'node:fs';
import { createPiiPolicy } from '../pipeline/pii/policy.ts';
import { deadLettersIn } from '../pipeline/dead-letters.ts';
import { CHUNKER_VERSION } from '../pipeline/stages/chunk.ts';
import { pipelineTopics } from '../pipeline/topics.ts';
import { indexGroupOf, topology } from '../pipeline/topology.ts';
import type { DocumentStore } from '../ports/document-store/document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { SqliteLog } from '../ports/log/sqlite-log.ts';
import {
  indexPath,
  openCache,
  openDocumentStore,
  openEmbedder,
  openGenerator,
  openJobs,
  openLog,
} from '../ports/registry.ts';
import type { QueryApiDeps } from '../query-api/deps.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import type { Logger } from '../runtime/logger.ts';
import { collectProcessMetrics, createMetrics } from '../runtime/metrics.ts';
import { Opened } from '../runtime/opened.ts';
import { awaitCaughtUp, positionsNow } from './compose/caught-up.ts';
import { conditions, readiness } from './compose/condition.ts';
import { failureDesk } from './compose/failure-desk.ts';
import { openSources, sourceTopics, sourceTopicSpecs } from './compose/sources.ts';
import { scheduleUpkeep } from './compose/upkeep.ts';
import { Work } from './compose/work.ts';

/** A part of the work that a process can take: reading sources, preparing documents, indexing them, answering. */
export type Role = 'connectors' | 'prepare' | 'index' | 'query';

export interface FreshetOptions {
  readonly config: ResolvedConfig;
  readonly roles: readonly Role[];
  readonly logger: Logger;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
}

/** The roles of this process at work. Disposing drains them. */
export interface RunningFreshet extends AsyncDisposable {
  /** Where the query API listens; empty without the role query. */
  readonly address: string;
  /** Resolves when the index has passed the source positions seen at start. */
  caughtUp(signal: AbortSignal): Promise<void>;
}

/**
 * Puts the roles together and starts them. The order matters: engines, then topics, then workers, then the API, then the
 * connectors that feed them; draining goes the other way round.
 */
export async function startFreshet({ config, roles, logger, signal }: FreshetOptions): Promise<RunningFreshet> {
  await using opened = new Opened();
  const clock = systemClock;
  const random = systemRandom;
  const metrics = createMetrics();
  collectProcessMetrics(metrics);
  const engines = { clock, logger };

  const log = opened.use(await openLog(config, engines));
  const embedder = opened.use(await openEmbedder(config, engines));
  const indexGroup = indexGroupOf(embedder.model.fingerprint);
  if (roles.includes('index')) await refillLostIndex(config, embedder, log);
  const store = opened.use(await openDocumentStore(config, embedder.model, CHUNKER_VERSION, engines));
  const cache = opened.use(await openCache(config, engines));
  const jobs = opened.use(await openJobs(config, engines));
  const generator = opened.use(await openGenerator(config));
  await log.createTopics(
    [...sourceTopicSpecs(config), ...pipelineTopics(config.log.partitions, config.log.retentionMs)],
    signal,
  );

  const sources = config.sources.map(sourceTopics);
  const topics = new Map(sources.map(({ source, topics: names }) => [source, names]));
  const deadLetters = deadLettersIn({ log, clock, logger, metrics });
  const routes = topology({
    sourceTopics: sources.flatMap((source) => source.topics),
    tables: new Map(sources.flatMap((source) => [...source.tables])),
    partitions: config.log.partitions,
    log,
    store,
    embedder,
    cache,
    deadLetters,
    config: config.pipeline,
    piiPolicy: createPiiPolicy(config.pipeline.pii),
    indexGroup,
    clock,
    random,
    logger,
    metrics,
  });
  const firstEpochs = await epochsAfter(store, signal);
  const { connectors, plugins } = await openSources({ config, log, clock, random, logger, metrics, firstEpochs });
  const work = opened.use(new Work(logger));
  const { maxBatchRecords, maxBatchBytes, attempts } = config.pipeline;
  work.process(
    routes.filter(({ role }) => roles.includes(role)),
    { log, deadLetters, maxBatchRecords, maxBatchBytes, attempts, clock, random, logger, metrics },
  );
  if (roles.includes('index'))
    await scheduleUpkeep({ log, jobs, deadLetters, indexGroup, sourceTopics: [...topics.values()].flat(), metrics });
  let address = '';
  if (roles.includes('query')) {
    address = await listen(opened, {
      store,
      embedder,
      generator,
      config,
      metrics,
      logger,
      clock,
      random,
      ready: () => Promise.resolve(readiness(roles.includes('connectors') ? connectors : [], work.stopped)),
      freshness: (asked) => conditions(connectors, topics, { log, indexGroup, metrics }, asked),
      failures: failureDesk(deadLetters),
      plugins,
    });
  }
  if (roles.includes('connectors')) work.connect(connectors);

  const running = opened.move();
  return {
    address,
    caughtUp: async (waiting) => awaitCaughtUp(await positionsNow(config, log, waiting), store, work, clock, waiting),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** An index that is not there has seen nothing, whatever the offsets of its group say: it is filled from the log again. */
async function refillLostIndex(config: ResolvedConfig, { model }: Embedder, log: SqliteLog): Promise<void> {
  if (!existsSync(indexPath(config, model, CHUNKER_VERSION))) await log.forgetGroup(indexGroupOf(model.fingerprint));
}

/** By source, the epoch after the newest in the index: a log that was lost must not start below what it had filled. */
async function epochsAfter(store: DocumentStore, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const { sources } = await store.progress(signal);
  return new Map(
    Object.entries(sources).flatMap(([name, { searchable }]) =>
      searchable ? [[name, searchable.epoch + 1] as const] : [],
    ),
  );
}

async function listen(opened: Opened, deps: QueryApiDeps): Promise<string> {
  const { buildServer } = await import('../query-api/server.ts');
  const server = buildServer(deps);
  opened.defer(() => server.close());
  const { host, port } = deps.config.server;
  return server.listen({ host, port });
}
