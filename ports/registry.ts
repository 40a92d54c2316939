import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Random } from '../runtime/clock.ts';
import type {
  ClusterEngines,
  FilledGenerator,
  FilledGeneratorServer,
  ResolvedConfig,
} from '../runtime/config/config.ts';
import { InvalidConfig } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Cache } from './cache/cache.ts';
import type { DocumentStore } from './document-store/document-store.ts';
import type { Embedder, EmbedderModel } from './embedder/embedder.ts';
import type { Generator } from './generator/generator.ts';
import type { RemoteGenerator } from './generator/remote/remote-generator.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { Reranker } from './reranker/reranker.ts';
import type { SchemaRegistry } from './schema-registry/schema-registry.ts';
import type { Log, RecordPlace } from './log/log.ts';

/*
 * Name in the config -> adapter. The only file that names adapters; each is imported when it is asked for, so that a process loads
 * no client that it does not use.
 */

/** What adapters are given. */
export interface AdapterParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/** Bytes of the cache in the process's memory. */
const CACHE_BYTES = 67_108_864;

/** Where the log lies. */
function logPath(config: ResolvedConfig): string {
  return join(config.dataDir, 'log', 'log.db');
}

/** One file per generation: another model or another chunker makes another index, and the old one stays until it is retired. */
function indexPath(config: ResolvedConfig, model: EmbedderModel, chunkerVersion: string, generation = 1): string {
  return join(config.dataDir, 'index', `freshet-${model.fingerprint}-${chunkerVersion}-${generation}.db`);
}

/** A log, and what a process asks of the engine behind it besides. */
export interface EngineLog extends Log {
  /** Forgets how far a group has read. Idempotent. @throws LogUnavailable while it has members. */
  forgetGroup(group: string): Promise<void>;
  /** Retention and compaction, for an engine that does not see to them itself. @param keep records that stay whatever their age. */
  maintain?(options: { readonly keep: readonly RecordPlace[] }, signal?: AbortSignal): Promise<unknown>;
}

/** @throws StorageFailed, InvalidConfig */
export async function openLog(config: ResolvedConfig, parts: AdapterParts): Promise<EngineLog> {
  const { clock, logger } = parts;
  if (!config.cluster) {
    const { openSqliteLog } = await import('./log/sqlite-log.ts');
    return openSqliteLog({ path: logPath(config), clock, logger });
  }
  const { openKafkaLog } = await import('./log/kafka-log.ts');
  const { kafka } = config.cluster;
  const { brokers, namespace, client, nativePath, replicationFactor, maxRecordBytes, tls, caFile, sasl } = kafka;
  return openKafkaLog({
    ...parts,
    brokers,
    client,
    maxRecordBytes,
    minCompactionLagMs: config.cluster.kafka.compactionLagMs,
    stateDir: join(config.dataDir, 'views'),
    ...(namespace !== undefined && { namespace }),
    ...(replicationFactor > 0 && { replicationFactor }),
    ...(nativePath !== undefined && { nativePath }),
    ...(tls === 'on' && { ssl: caFile === undefined ? true : { ca: await readFile(caFile, 'utf8') } }),
    ...(sasl && { sasl }),
  });
}

/** @throws StorageFailed, InvalidConfig, ModelMismatch, StoreUnavailable */
export async function openDocumentStore(
  config: ResolvedConfig,
  model: EmbedderModel,
  chunkerVersion: string,
  parts: AdapterParts,
): Promise<DocumentStore> {
  const { clock, logger } = parts;
  if (!config.cluster) {
    const { openSqliteDocumentStore } = await import('./document-store/sqlite-document-store.ts');
    const path = indexPath(config, model, chunkerVersion);
    return openSqliteDocumentStore({ path, dimensions: model.dimensions, clock, logger });
  }
  const { openElasticsearchDocumentStore } = await import('./document-store/elasticsearch-document-store.ts');
  const { shards, replicas, refreshIntervalMs, analyzer, alias } = config.cluster.elasticsearch;
  return openElasticsearchDocumentStore({
    ...parts,
    ...(await elasticsearchConnection(config.cluster)),
    alias,
    generation: `${alias}-${model.fingerprint}-${chunkerVersion}-1`,
    dimensions: model.dimensions,
    shards,
    replicas,
    refreshIntervalMs,
    analyzer,
  });
}

/** Where Elasticsearch is, and who asks. */
async function elasticsearchConnection({ elasticsearch }: ClusterEngines): Promise<{
  readonly nodes: readonly string[];
  readonly auth?: { readonly apiKey: string } | { readonly username: string; readonly password: string };
  readonly ca?: string;
}> {
  const { nodes, apiKey, username, password, caFile } = elasticsearch;
  return {
    nodes,
    ...(apiKey !== undefined && { auth: { apiKey } }),
    ...(username !== undefined && password !== undefined && { auth: { username, password } }),
    ...(caFile !== undefined && { ca: await readFile(caFile, 'utf8') }),
  };
}

/** The cache of vectors, by the config. */
export async function openCache(config: ResolvedConfig, { clock, random, logger }: AdapterParts): Promise<Cache> {
  if (!config.cluster) return newMemoryCache(CACHE_BYTES, clock);
  const { openRedisCache } = await import('./cache/redis-cache.ts');
  const { url, prefix, timeoutMs } = config.cluster.redis;
  return openRedisCache({ url, prefix: `${prefix}/cache/`, timeoutMs, clock, random, logger });
}

/** The cache of answers, by the config; nothing where it is off. Apart from the other one, so that a backfill's vectors do not push answers out. */
export async function openAnswerCache(
  config: ResolvedConfig,
  { clock, random, logger }: AdapterParts,
): Promise<Cache | undefined> {
  const { answers, answerMaxBytes: maxBytes, answerTtlMs: maxAgeMs } = config.cache;
  if (answers === 'off') return undefined;
  if (!config.cluster) return newMemoryCache(maxBytes, clock);
  const { openRedisCache } = await import('./cache/redis-cache.ts');
  const { url, prefix, timeoutMs } = config.cluster.redis;
  return openRedisCache({ url, prefix: `${prefix}/answers/`, timeoutMs, maxAgeMs, clock, random, logger });
}

/** The cache of the vectors of queries, by the config; nothing where it is off. In this process whatever the profile: a look-up must cost less than a small model. */
export async function openQueryVectorCache(
  { cache }: ResolvedConfig,
  { clock }: AdapterParts,
): Promise<Cache | undefined> {
  return cache.queryVectorMaxBytes === 0 ? undefined : newMemoryCache(cache.queryVectorMaxBytes, clock);
}

async function newMemoryCache(maxBytes: number, clock: Clock): Promise<Cache> {
  const { memoryCache } = await import('./cache/memory-cache.ts');
  return memoryCache({ maxBytes, clock });
}

/** The job scheduler, by the config. */
export async function openJobs(config: ResolvedConfig, { clock, random, logger }: AdapterParts): Promise<Jobs> {
  if (!config.cluster) return localJobs({ clock, random, logger });
  const { bullmqJobs } = await import('./jobs/bullmq-jobs.ts');
  const { url, jobsUrl = url, prefix } = config.cluster.redis;
  return bullmqJobs({ url: jobsUrl, prefix: `${prefix}-jobs`, clock, random, logger });
}

/** Jobs of this process alone, whatever the profile. */
export async function localJobs({ clock, logger }: AdapterParts): Promise<Jobs> {
  const { inProcessJobs } = await import('./jobs/in-process-jobs.ts');
  return inProcessJobs({ clock, logger });
}

/** @throws ModelMismatch, EmbedderUnavailable */
export async function openEmbedder(
  config: ResolvedConfig,
  parts: AdapterParts,
  signal?: AbortSignal,
): Promise<Embedder> {
  const { embedder } = config;
  switch (embedder.kind) {
    case 'onnx': {
      const { openOnnxEmbedder } = await import('./embedder/onnx-embedder.ts');
      return openOnnxEmbedder({ threads: embedder.threads, logger: parts.logger });
    }
    case 'hash': {
      const { hashEmbedder } = await import('./embedder/hash-embedder.ts');
      return hashEmbedder();
    }
    case 'tei': {
      const { openTeiEmbedder } = await import('./embedder/tei-embedder.ts');
      return openTeiEmbedder({ ...remoteOptions(config, parts), url: required(embedder.url) }, signal);
    }
    case 'openai': {
      const { openOpenAiEmbedder } = await import('./embedder/openai-embedder.ts');
      const options = { ...remoteOptions(config, parts), url: required(embedder.url), model: required(embedder.model) };
      return openOpenAiEmbedder(options, signal);
    }
    case 'cohere': {
      const { openCohereEmbedder } = await import('./embedder/cohere-embedder.ts');
      const { url } = embedder;
      return openCohereEmbedder(
        {
          ...remoteOptions(config, parts),
          apiKey: required(embedder.apiKey),
          model: required(embedder.model),
          ...(url !== undefined && { url }),
        },
        signal,
      );
    }
  }
}

/** What all remote embedders are told. */
function remoteOptions({ embedder, pipeline }: ResolvedConfig, { clock, random, logger, metrics }: AdapterParts) {
  const { apiKey, dimensions, queryPrefix, passagePrefix, maxConcurrency, timeoutMs, hedgeAfterMs } = embedder;
  return {
    tokenizer:
      embedder.tokenizer === 'file'
        ? ({ kind: 'file', path: required(embedder.tokenizerFile) } as const)
        : { kind: embedder.tokenizer },
    maxBatchTokens: pipeline.embed.maxBatchTokens,
    maxConcurrency,
    timeoutMs,
    ...(apiKey !== undefined && { apiKey }),
    ...(dimensions !== undefined && { dimensions }),
    ...(queryPrefix !== undefined && { queryPrefix }),
    ...(passagePrefix !== undefined && { passagePrefix }),
    ...(hedgeAfterMs > 0 && { hedgeAfterMs }),
    ...(metrics && { metrics }),
    clock,
    random,
    logger,
  };
}

/** A key that the check of the config has seen to. */
function required<T>(value: T | undefined): T {
  if (value === undefined) throw new InvalidConfig('A key that this kind of engine needs is missing.');
  return value;
}

/** Where the schemas of Avro records are; nothing when no source needs one. */
export async function openSchemaRegistry({
  schemaRegistry,
}: ResolvedConfig): Promise<{ readonly schemaRegistry?: SchemaRegistry }> {
  if (!schemaRegistry) return {};
  const { confluentRegistry } = await import('./schema-registry/confluent-registry.ts');
  return { schemaRegistry: confluentRegistry(schemaRegistry) };
}

/** The reranker that the config names; none by default. Asks nothing yet: a query is answered without one. */
export async function openReranker(
  { reranker }: ResolvedConfig,
  { clock, random, logger }: AdapterParts,
): Promise<Reranker | undefined> {
  const { kind, url, apiKey, maxConcurrency } = reranker;
  const options = { maxConcurrency, clock, random, logger };
  switch (kind) {
    case 'none':
      return undefined;
    case 'onnx':
      return openLocalReranker(reranker.threads, { clock, logger });
    case 'tei': {
      const { teiReranker } = await import('./reranker/tei-reranker.ts');
      return teiReranker({ ...options, url: required(url), ...(apiKey !== undefined && { apiKey }) });
    }
    case 'cohere': {
      const { cohereReranker } = await import('./reranker/cohere-reranker.ts');
      const model = required(reranker.model);
      return cohereReranker({ ...options, model, apiKey: required(apiKey), ...(url !== undefined && { url }) });
    }
  }
}

async function openLocalReranker(
  threads: number,
  { clock, logger }: Pick<AdapterParts, 'clock' | 'logger'>,
): Promise<Reranker> {
  const { openOnnxReranker } = await import('./reranker/onnx-reranker.ts');
  return openOnnxReranker({ threads, clock, logger });
}

/** The generator that the config names, with those that stand in for it. Asks nothing of any server. */
export async function openGenerator({ generator }: ResolvedConfig, parts: AdapterParts): Promise<Generator> {
  const { extractiveGenerator } = await import('./generator/extractive-generator.ts');
  if (generator.kind === 'extractive')
    return extractiveGenerator(generator.judge === 'onnx' ? () => openLocalReranker(1, parts) : undefined);
  const { fallbackGenerator } = await import('./generator/fallback-generator.ts');
  const [first, ...others] = await Promise.all(
    generatorServers(generator).map((server) => openServer(server, generator.unsupported, parts)),
  );
  const last = generator.lastResort === 'extractive' ? [extractiveGenerator()] : [];
  return fallbackGenerator(required(first), [...others, ...last], parts);
}

/** The servers that write answers, in the order in which they are asked. */
function generatorServers(generator: FilledGenerator): readonly FilledGeneratorServer[] {
  const { kind, judge: _judge, unsupported: _mode, lastResort: _last, fallbacks, ...server } = generator;
  return kind === 'extractive' ? [] : [{ ...server, kind }, ...fallbacks];
}

async function openServer(
  server: FilledGeneratorServer,
  unsupported: FilledGenerator['unsupported'],
  parts: AdapterParts,
): Promise<RemoteGenerator> {
  const url = required(server.url);
  const options = { ...parts, ...server, url, unsupported };
  switch (server.kind) {
    case 'tgi': {
      const { tgiGenerator } = await import('./generator/tgi-generator.ts');
      return tgiGenerator(options);
    }
    case 'openai': {
      const { openaiGenerator } = await import('./generator/openai-generator.ts');
      return openaiGenerator({ ...options, model: required(server.model) });
    }
  }
}

/** An engine that can be asked whether it is there. */
export interface DescribedEngine {
  readonly name: string;
  /** Where the config says how it is reached. */
  readonly key: string;
  /** What it says of itself, in a sentence. @throws FreshetError when it does not answer or refuses */
  ask(signal: AbortSignal): Promise<string>;
}

/** The engines of a config that are not part of this process. Asking one changes nothing in it. */
export function describeEngines(config: ResolvedConfig, parts: AdapterParts): readonly DescribedEngine[] {
  const { cluster, embedder } = config;
  const engines: DescribedEngine[] = [];
  if (cluster) {
    engines.push({
      name: 'Kafka',
      key: 'kafka',
      async ask(signal) {
        await using log = await openLog(config, parts);
        const topics = new Set((await log.describe([], signal)).map(({ topic }) => topic));
        return `answers, with ${topics.size} topics of this installation`;
      },
    });
    engines.push({
      name: 'Elasticsearch',
      key: 'elasticsearch',
      async ask(signal) {
        const { currentElasticsearchGeneration } = await import('./document-store/elasticsearch-document-store.ts');
        const { alias } = cluster.elasticsearch;
        const options = { ...parts, ...(await elasticsearchConnection(cluster)), alias };
        const generation = await currentElasticsearchGeneration(options, signal);
        return generation ? `answers, and serves ${generation}` : 'answers; it has no index yet';
      },
    });
    engines.push({
      name: 'Redis',
      key: 'redis.url',
      async ask(signal) {
        const { pingRedis } = await import('./cache/ping-redis.ts');
        return pingRedis(cluster.redis.url, signal);
      },
    });
  }
  if (embedder.kind === 'tei' || embedder.kind === 'openai' || embedder.kind === 'cohere')
    engines.push({
      name: 'embedder',
      key: 'embedder',
      async ask(signal) {
        await using opened = await openEmbedder(config, parts, signal);
        return `serves ${opened.model.name}, ${opened.model.dimensions} dimensions`;
      },
    });
  if (config.reranker.kind !== 'none')
    engines.push({
      name: 'reranker',
      key: 'reranker',
      async ask(signal) {
        await using opened = await openReranker(config, parts);
        return (await opened?.probe(signal)) ?? 'is not asked';
      },
    });
  for (const [index, server] of generatorServers(config.generator).entries())
    engines.push({
      name: index === 0 ? 'generator' : `generator, fallback ${index}`,
      key: index === 0 ? 'generator' : `generator.fallbacks[${index - 1}]`,
      async ask(signal) {
        const opened = await openServer(server, config.generator.unsupported, parts);
        return opened.probe(signal);
      },
    });
  return engines;
}
