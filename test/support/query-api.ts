import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { Cache } from '../../ports/cache/cache.ts';
import { forgettingStore } from '../../ports/document-store/forgetting-store.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import type { Generator } from '../../ports/generator/generator.ts';
import { AnswerCache } from '../../query-api/answer/cache/answer-cache.ts';
import { buildServer } from '../../query-api/server.ts';
import type { Reranking } from '../../query-api/answer/rerank.ts';
import type { QueryLog } from '../../query-api/query-log/query-log.ts';
import type { FailureDesk, QueryApiDeps } from '../../query-api/deps.ts';
import { systemClock, type Clock, type Random } from '../../runtime/clock.ts';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import { createMetrics, type Metrics } from '../../runtime/metrics.ts';
import { documentId, passageId, type DocumentId } from '../../schemas/ids.ts';
import { sourceVersion } from '../../schemas/version.ts';

export const QUERY_CONFIG: ResolvedConfig = {
  profile: 'embedded',
  dataDir: '/nowhere',
  logLevel: 'info',
  shutdownTimeoutMs: 10_000,
  server: { host: '127.0.0.1', port: 0 },
  auth: { mode: 'none' },
  log: { partitions: 1, retentionMs: 86_400_000 },
  sources: [
    {
      name: 'help',
      kind: 'postgres',
      connection: 'postgres://nowhere',
      tables: [{ table: 'public.articles', body: 'body' }],
    },
    {
      name: 'crm',
      kind: 'webhook',
      signature: { scheme: 'standard-webhooks', secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    },
  ],
  pipeline: {
    pii: { mode: 'off' },
    chunk: { maxTokens: 220, overlapTokens: 24 },
    embed: { maxBatchTokens: 8_192, inlineBudgetMs: 100 },
    maxDocumentBytes: 1_000_000,
    maxBatchRecords: 100,
    maxBatchBytes: 1_000_000,
    attempts: 3,
  },
  embedder: {
    kind: 'hash',
    threads: 1,
    tokenizer: 'bge',
    maxConcurrency: 1,
    timeoutMs: 1_000,
    hedgeAfterMs: 0,
  },
  reranker: { kind: 'none', use: 'always', threads: 1, maxConcurrency: 16 },
  generator: {
    kind: 'extractive',
    judge: 'onnx',
    maxTokens: 1_024,
    contextTokens: 6_144,
    temperature: 0,
    timeoutMs: 15_000,
    stallMs: 10_000,
    maxConcurrent: 8,
    maxWaiting: 32,
    unsupported: 'mark',
    fallbacks: [],
    lastResort: 'extractive',
  },
  queryLog: { mode: 'off', maxFileBytes: 1_000_000, retentionDays: 1 },
  cache: {
    answers: 'exact',
    answerTtlMs: 3_600_000,
    answerMaxBytes: 1_048_576,
    auditShare: 0,
    queryVectorMaxBytes: 0,
  },
};

export interface QueryBenchOptions {
  readonly config?: Partial<ResolvedConfig>;
  readonly clock?: Clock;
  readonly embedder?: Embedder;
  readonly generator?: Generator;
  readonly reranking?: Reranking;
  /** Where answers are kept; absent: nowhere. Writes through the bench's store remove from it. */
  readonly answerCache?: Cache;
  readonly auditShare?: number;
  readonly random?: Random;
  readonly logger?: Logger;
  readonly failures?: FailureDesk;
  readonly ready?: QueryApiDeps['ready'];
  readonly queryLog?: QueryLog;
  readonly plugins?: readonly FastifyPluginAsync[];
}

export interface Indexed {
  readonly key: string;
  readonly text: string;
  readonly title?: string;
  readonly tenant?: string;
  readonly acl?: readonly string[] | null;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  readonly version?: number;
}

/** The query API over the embedded adapters, and a short way to put a document into its index. */
export interface QueryBench extends AsyncDisposable {
  readonly app: FastifyInstance;
  /** What writes go through; the API reads the same one. */
  readonly store: DocumentStore;
  readonly metrics: Metrics;
  index(document: Indexed): Promise<DocumentId>;
  remove(key: string, version?: number): Promise<void>;
  advance(source: string, position: string, level?: 'searchable' | 'complete'): Promise<void>;
}

const NO_FAILURES: FailureDesk = {
  list: async () => [],
  show: async () => undefined,
  retry: async () => undefined,
  discard: async () => undefined,
};

export function articleKey(key: string): DocumentId {
  return documentId({ source: 'help', table: 'public.articles', key: [key] });
}

export function queryBench(options: QueryBenchOptions = {}): QueryBench {
  const clock = options.clock ?? systemClock;
  const embedder = options.embedder ?? hashEmbedder();
  const opened = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  const { answerCache, random = Math.random, auditShare = 0 } = options;
  const store = answerCache ? forgettingStore(opened, answerCache) : opened;
  const metrics = createMetrics();
  const app = buildServer({
    store,
    embedder,
    generator: options.generator ?? extractiveGenerator(),
    config: { ...QUERY_CONFIG, ...options.config },
    metrics,
    ...(options.queryLog && { queryLog: options.queryLog }),
    ...(options.reranking && { reranking: options.reranking }),
    ...(answerCache && {
      answers: new AnswerCache({
        cache: answerCache,
        ttlMs: 60_000,
        auditShare,
        settings: 'test',
        clock,
        random,
        metrics,
      }),
    }),
    logger: options.logger ?? silentLogger,
    clock,
    random,
    ready: options.ready ?? (async () => ({ ready: true, reasons: [] })),
    freshness: async () => ({ help: { connected: true, state: 'streaming', lagRecords: 0 } }),
    failures: options.failures ?? NO_FAILURES,
    plugins: options.plugins ?? [],
  });
  const source = (key: string) => ({ name: 'help', table: 'public.articles', key });
  return {
    app,
    store,
    metrics,
    index: async ({ key, text, title = '', tenant = 'default', acl = null, metadata = {}, version = 1 }) => {
      const id = articleKey(key);
      const [vector] = await hashEmbedder({ dimensions: embedder.model.dimensions }).embed([text], 'passage');
      await store.write([
        {
          kind: 'replace',
          document: {
            kind: 'document',
            id,
            version: sourceVersion(0, BigInt(version)),
            source: source(key),
            position: '0/1',
            committedAt: clock.now(),
            tenant,
            acl,
            title,
            parts: [{ name: 'body', text }],
            bodyFormat: 'text',
            metadata,
          },
          text,
          passages: [
            {
              id: passageId(id, 0),
              ordinal: 0,
              start: 0,
              end: text.length,
              text,
              headings: [],
              tokens: embedder.tokenizer.count(text),
              vectorKey: `${key}@${version}`,
            },
          ],
          vectors: [vector],
          lineage: { chunker: 'test', piiPolicy: 'off', embedder: embedder.model.fingerprint },
          contentHash: `${key}@${version}`,
        },
      ]);
      return id;
    },
    remove: async (key, version = 2) => {
      const head = { id: articleKey(key), version: sourceVersion(0, BigInt(version)), source: source(key) };
      await store.write([{ kind: 'remove', ...head, committedAt: clock.now() }]);
    },
    advance: async (name, position, level = 'searchable') => {
      const lane = { lane: `${name}/0`, lanes: 1, epoch: 0 };
      await store.write([{ kind: 'advance', level, source: name, ...lane, position, committedAt: clock.now() }]);
    },
    [Symbol.asyncDispose]: async () => {
      await app.close();
      await store[Symbol.asyncDispose]();
    },
  };
}
