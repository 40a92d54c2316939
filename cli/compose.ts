import type { FastifyPluginAsync } from 'fastify';
import { createPiiPolicy } from '../pipeline/pii/policy.ts';
import { deadLettersIn, type DeadLetters } from '../pipeline/dead-letters.ts';
import { CHUNKER_VERSION } from '../pipeline/stages/chunk.ts';
import { pipelineTopics } from '../pipeline/topics.ts';
import { indexGroupOf, indexRoutes, prepareRoutes, type Route } from '../pipeline/topology.ts';
import type { Cache } from '../ports/cache/cache.ts';
import type { DocumentStore } from '../ports/document-store/document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { Log } from '../ports/log/log.ts';
import { forgettingStore } from '../ports/document-store/forgetting-store.ts';
import {
  openAnswerCache,
  openCache,
  openDocumentStore,
  openEmbedder,
  openGenerator,
  localJobs,
  openJobs,
  openLog,
  openReranker,
  openSchemaRegistry,
  type EngineLog,
} from '../ports/registry.ts';
import type { OperationsDeps, QueryApiDeps } from '../query-api/deps.ts';
import { eventLoopTurn, systemClock, systemRandom, type Clock, type Random } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { rerankingLimits } from '../runtime/config/reranker-config.ts';
import { AddressUnavailable, LogUnavailable, SourceMisconfigured } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { collectProcessMetrics, createMetrics, type Metrics } from '../runtime/metrics.ts';
import { Opened } from '../runtime/opened.ts';
import { retry } from '../runtime/retry.ts';
import { answersIn, queryEmbedder } from './compose/answers.ts';
import { awaitCaughtUp, positionsNow } from './compose/caught-up.ts';
import { conditions, readiness } from './compose/condition.ts';
import { failureDesk } from './compose/failure-desk.ts';
import { openQueryLog } from './compose/query-log.ts';
import { SharedConditions } from './compose/shared-conditions.ts';
import { openSources, sourceTopics, sourceTopicSpecs, type SourceTopics } from './compose/sources.ts';
import { scheduleUpkeep } from './compose/upkeep.ts';
import { Work } from './compose/work.ts';
import { workersOf } from './compose/workers.ts';

/** A part of the work that a process can take: reading sources, preparing documents, indexing them, answering. */
export type Role = 'connectors' | 'prepare' | 'index' | 'query';

export interface FreshetOptions {
  readonly config: ResolvedConfig;
  readonly roles: readonly Role[];
  readonly logger: Logger;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Routes of whoever starts it, beside those of the API; they identify nobody by themselves. Needs the role query. */
  readonly routes?: (parts: ProcessParts) => FastifyPluginAsync;
  /** Embeds in the place of the one that the config names: a program that runs Freshet in its own process may bring a model. It stays the caller's. */
  readonly embedder?: Embedder | undefined;
}

/** What routes of whoever starts the process may look at. */
export interface ProcessParts {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly store: DocumentStore;
  readonly clock: Clock;
}

/** The roles of this process at work. Disposing drains them. */
export interface RunningFreshet extends AsyncDisposable {
  /** Where it listens: the API with the role query, health and metrics with any. */
  readonly address: string;
  /** Resolves when the index has passed the source positions seen at start. Needs the index or the query role. */
  caughtUp(signal: AbortSignal): Promise<void>;
}

/** What every role of a process works with. */
interface Base {
  readonly config: ResolvedConfig;
  readonly roles: readonly Role[];
  readonly opened: Opened;
  readonly log: EngineLog;
  readonly cache: Cache;
  /** Where answers are kept; absent: nowhere. */
  readonly answerCache: Cache | undefined;
  readonly deadLetters: DeadLetters;
  readonly sources: readonly SourceTopics[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The index, where a role needs it. */
interface Index {
  readonly store: DocumentStore;
  readonly embedder: Embedder;
  readonly group: string;
}

/**
 * Puts the roles together and starts them. The order matters: engines, then topics, then workers, then the API, then the
 * connectors that feed them; draining goes the other way round.
 */
export async function startFreshet({
  config,
  roles,
  logger,
  signal,
  routes,
  embedder,
}: FreshetOptions): Promise<RunningFreshet> {
  await using opened = new Opened();
  const metrics = createMetrics();
  collectProcessMetrics(metrics);
  const parts = { clock: systemClock, random: systemRandom, logger, metrics };
  const log = opened.use(await openLog(config, parts));
  const cache = opened.use(await openCache(config, parts));
  const answerCache = await openAnswerCache(config, parts);
  if (answerCache) opened.use(answerCache);
  const sources = config.sources.map(sourceTopics);
  const base: Base = {
    ...parts,
    config,
    roles,
    opened,
    log,
    cache,
    answerCache,
    sources,
    deadLetters: deadLettersIn({ ...parts, log }),
  };
  // Connectors ask the index which epochs it has seen; preparing needs nothing of it.
  const index = roles.some((role) => role !== 'prepare') ? await openIndex(base, embedder, signal) : undefined;
  const topics = [...sourceTopicSpecs(config), ...pipelineTopics(config.log.partitions, config.log.retentionMs)];
  await patiently(base, 'make topics', () => log.createTopics(topics, signal), signal);

  const work = opened.use(new Work(logger));
  work.process(await routesOf(base, index), { ...base, ...config.pipeline, turn: eventLoopTurn });
  const { connectors, plugins } = roles.includes('connectors')
    ? await openSources({
        ...base,
        firstEpochs: await patiently(base, 'look at the index', () => epochsAfter(index?.store, signal), signal),
      })
    : { connectors: [], plugins: [] };
  const shared = new SharedConditions(base.cache, systemClock);
  if (config.cluster && connectors.length > 0)
    work.keep('The report of the sources', shared.publish(connectors, work.signal));
  if (roles.includes('index') && index)
    await scheduleUpkeep({
      ...base,
      jobs: opened.use(await openJobs(config, parts)),
      ownJobs: opened.use(await localJobs(parts)),
      indexGroup: index.group,
      sourceTopics: sources.flatMap(({ topics }) => topics),
    });
  const address = await listen(base, index, {
    ready: () => Promise.resolve(readiness(connectors, work.stopped)),
    plugins: routes && index ? [...plugins, routes({ ...base, store: index.store })] : plugins,
    condition: async (asked) =>
      conditions(base, index?.group ?? '', connectors, await shared.read(sources, asked), asked),
  });
  work.connect(connectors);

  const running = opened.move();
  return {
    address,
    async caughtUp(waiting) {
      if (!index) throw new SourceMisconfigured('--until-caught-up needs the role index or query in the same process.');
      await awaitCaughtUp(await positionsNow(config, log, waiting), index.store, work, systemClock, waiting);
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** Enough for a batch of documents to be in front of a service whole; the service's own limits bound what it gets at a time. */
const REMOTE_EMBED_STREAMS = 32;

function isRemote({ embedder: { kind } }: ResolvedConfig): boolean {
  return kind !== 'onnx' && kind !== 'hash';
}

async function openIndex(base: Base, given: Embedder | undefined, signal: AbortSignal): Promise<Index> {
  const { config, opened, roles, log, logger, answerCache } = base;
  const embedder =
    given ?? opened.use(await patiently(base, 'open the embedder', () => openEmbedder(config, base, signal), signal));
  const open = () => openDocumentStore(config, embedder.model, CHUNKER_VERSION, base);
  const store = opened.use(await patiently(base, 'open the index', open, signal));
  const group = indexGroupOf(embedder.model.fingerprint);
  if (roles.includes('index'))
    await patiently(base, 'look at the index', () => refillLostIndex(store, group, log, logger, signal), signal);
  return { store: answerCache ? forgettingStore(store, answerCache) : store, embedder, group };
}

/** Between two tries to reach an engine at the start, ms. */
const ENGINE_BACKOFF = { minDelayMs: 1_000, maxDelayMs: 10_000 };

/**
 * In a cluster, a process that starts while an engine is away waits for it, and says so: whoever started it would only start it again.
 * Embedded, nothing can be away that comes back by itself.
 */
function patiently<T>(
  { config, clock, random, logger }: Base,
  operation: string,
  attempt: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const attempts = config.cluster ? Number.POSITIVE_INFINITY : 1;
  return retry(attempt, { operation, attempts, ...ENGINE_BACKOFF, clock, random, logger }, signal);
}

async function routesOf(base: Base, index: Index | undefined): Promise<readonly Route[]> {
  const { config, roles, sources } = base;
  const workers = workersOf(config);
  const routes: Route[] = [];
  if (roles.includes('prepare'))
    routes.push(
      ...prepareRoutes({
        ...base,
        config: config.pipeline,
        sourceTopics: sources.flatMap(({ topics }) => topics),
        tables: new Map(sources.flatMap(({ tables }) => [...tables])),
        rereadable: new Map(
          sources.flatMap(({ source, tables }) => [...tables.keys()].map((topic) => [topic, source])),
        ),
        prepareWorkers: workers.prepare,
        piiPolicy: createPiiPolicy(config.pipeline.pii),
        ...(await openSchemaRegistry(config)),
      }),
    );
  if (roles.includes('index') && index)
    routes.push(
      ...indexRoutes({
        ...base,
        ...index,
        config: config.pipeline,
        indexGroup: index.group,
        indexWorkers: workers.index,
        vectorsOnArrival: !config.cluster, // a vector is one row in SQLite, and a new copy of its document in Elasticsearch
        ...(isRemote(config) && { embedStreams: REMOTE_EMBED_STREAMS }),
      }),
    );
  return routes;
}

/** An index that holds nothing has seen nothing, whatever the offsets of its group say: it is filled from the log again. */
async function refillLostIndex(
  store: DocumentStore,
  group: string,
  log: EngineLog,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { sources, passages } = await store.progress(signal);
  if (passages > 0 || Object.keys(sources).length > 0) return;
  try {
    await log.forgetGroup(group);
  } catch (error) {
    if (!(error instanceof LogUnavailable)) throw error;
    logger.warn('The index is empty, and its group is in use: another process fills it, or Kafka is busy.', {
      group,
      error,
    });
  }
}

/** By source, the epoch after the newest in the index: a log that was lost must not start below what it had filled. */
async function epochsAfter(
  store: DocumentStore | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  if (!store) return new Map();
  const { sources } = await store.progress(signal);
  return new Map(
    Object.entries(sources).flatMap(([name, { searchable }]) =>
      searchable ? [[name, searchable.epoch + 1] as const] : [],
    ),
  );
}

interface Listening extends Pick<OperationsDeps, 'ready' | 'plugins'> {
  readonly condition: (signal?: AbortSignal) => ReturnType<typeof conditions>;
}

/** The reranker and how it is used; nothing where the config names none. */
async function openReranking(base: Base): Promise<Pick<QueryApiDeps, 'reranking'>> {
  const reranker = await openReranker(base.config, base);
  if (!reranker) return {};
  const { use } = base.config.reranker;
  return { reranking: { use, ...rerankingLimits(base.config.reranker), reranker: base.opened.use(reranker) } };
}

/** Health and metrics of any process, the API of one that answers. */
async function listen(base: Base, index: Index | undefined, { condition, ...operations }: Listening): Promise<string> {
  const { config, opened, roles, deadLetters } = base;
  const { buildServer, buildOperationsServer } = await import('../query-api/server.ts');
  const queryLog = roles.includes('query') && index ? openQueryLog(config, base) : undefined;
  const server =
    roles.includes('query') && index
      ? buildServer({
          ...base,
          ...index,
          ...operations,
          embedder: await queryEmbedder(index.embedder, base),
          ...(await answersIn(base.answerCache, base)),
          generator: opened.use(await openGenerator(config, base)),
          ...(await openReranking(base)),
          freshness: condition,
          failures: failureDesk(deadLetters),
          ...(queryLog && { queryLog: opened.use(queryLog) }),
        })
      : buildOperationsServer({ ...base, ...operations });
  opened.defer(() => server.close());
  const { host, port } = config.server;
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const problem = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be listened on (${code})`;
    const mend = 'stop what listens there, or set server.host and server.port';
    throw new AddressUnavailable(`${host}:${port} ${problem}; ${mend}`, { cause });
  }
}
