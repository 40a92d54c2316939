import { memoryCache } from '../../ports/cache/memory-cache.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import type { LogRecord } from '../../ports/log/log.ts';
import { nextOf } from '../../ports/log/partitions.ts';
import { deadLettersIn } from '../../pipeline/dead-letters.ts';
import { createPiiPolicy } from '../../pipeline/pii/policy.ts';
import { pipelineTopics } from '../../pipeline/topics.ts';
import { topology } from '../../pipeline/topology.ts';
import { runWorker } from '../../pipeline/worker.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { FilledPipeline, TableConfig } from '../../runtime/config/config.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../../schemas/topics.ts';
import { ARTICLES } from './builders.ts';

export const TABLE: TableConfig = { table: 'public.articles', title: 'title', body: 'body' };

const CONFIG: FilledPipeline = {
  pii: { mode: 'mask' },
  chunk: { maxTokens: 60, overlapTokens: 8 },
  embed: { maxBatchTokens: 1_000, inlineBudgetMs: 1_000 },
  maxDocumentBytes: 1_000_000,
  maxBatchRecords: 64,
  maxBatchBytes: 1_000_000,
  attempts: 2,
};

/** The whole pipeline over the embedded engines in memory, without a source: records are appended, the index is looked at. */
export async function pipelineRig({
  embedder = hashEmbedder(),
  inlineBudgetMs = 1_000,
  table = TABLE,
}: { embedder?: Embedder; inlineBudgetMs?: number; table?: TableConfig } = {}) {
  const clock = systemClock;
  const log = openSqliteLog({ path: ':memory:', clock });
  const store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  await log.createTopics([{ name: ARTICLES, partitions: 1, cleanup: 'delete' }, ...pipelineTopics(1, 1_000_000)]);
  const metrics = createMetrics();
  const shared = { log, clock, random: () => 0.5, logger: silentLogger, metrics };
  const deadLetters = deadLettersIn(shared);
  const config = { ...CONFIG, embed: { ...CONFIG.embed, inlineBudgetMs } };
  const tables = new Map([[ARTICLES, table]]);
  const routes = topology({
    ...shared,
    sourceTopics: [ARTICLES],
    tables,
    prepareWorkers: 1,
    indexWorkers: 1,
    vectorsOnArrival: true,
    store,
    embedder,
    cache: memoryCache({ maxBytes: 1_000_000, clock }),
    deadLetters,
    config,
    piiPolicy: createPiiPolicy(config.pii),
  });
  const stop = new AbortController();
  const workers = routes.map(({ group, topics, flow }) =>
    runWorker(
      { ...shared, deadLetters, group, topics, flow, maxBatchRecords: 64, maxBatchBytes: 1_000_000, attempts: 2 },
      stop.signal,
    ),
  );

  return {
    log,
    store,
    metrics,
    deadLetters,
    /** The mapping of the table; replace it to mend a mapping. */
    tables,
    async append(...records: readonly LogRecord[]): Promise<void> {
      await log.append(records);
    },
    /** Resolves when every worker has passed everything; with `vectors: false` without waiting for deferred ones. */
    async settled({ vectors = true }: { vectors?: boolean } = {}): Promise<void> {
      const groups: Readonly<Record<string, string>> = {
        [ARTICLES]: 'freshet-prepare',
        [DOCUMENTS_TOPIC]: 'freshet-index',
        ...(vectors && { [VECTORS_TOPIC]: 'freshet-embed' }),
      };
      const isBehind = async (): Promise<boolean> =>
        (await log.describe(Object.keys(groups))).some(
          (state) => nextOf(state, groups[state.topic] ?? '') < state.next,
        );
      while (await isBehind()) await clock.sleep(2);
    },
    async computed(): Promise<number> {
      const { values } = await metrics.embedTexts.get();
      return values.find(({ labels }) => labels.result === 'computed')?.value ?? 0;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await Promise.all(workers);
      await store[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    },
  };
}
