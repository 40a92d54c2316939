import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/**
 * Every metric there is, in one table: docs/METRICS.md is generated from it. Labels are bounded: names of stages, sources, codes and
 * topics, never ids. Updated per batch, not per record.
 */
export function createMetrics(registry: Registry = new Registry()) {
  const make = makersFor(registry);
  return {
    registry,
    ...pipelineMetrics(make),
    ...embedMetrics(make),
    ...sourceMetrics(make),
    ...queryMetrics(make),
    ...observedMetrics(make),
  };
}

/** What makes the metrics of one registry. */
function makersFor(registry: Registry) {
  const registers = [registry];
  return {
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Counter<L>({ name, help, labelNames: [...labelNames], registers }),
    gauge: <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Gauge<L>({ name, help, labelNames: [...labelNames], registers }),
    histogram: <L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[] = [],
      buckets: number[] = SECONDS,
    ) => new Histogram<L>({ name, help, labelNames: [...labelNames], buckets, registers }),
  };
}

type Makers = ReturnType<typeof makersFor>;

function pipelineMetrics({ counter, gauge, histogram }: Makers) {
  return {
    freshness: histogram(
      'freshet_freshness_seconds',
      'Source commit to searchable, by source and level (searchable, complete).',
      ['source', 'level'],
    ),
    lag: gauge('freshet_lag_records', 'Records that a consumer group has not passed.', ['group', 'topic']),
    stageRecords: counter('freshet_stage_records_total', 'Records that left a stage, by what became of them.', [
      'stage',
      'outcome',
    ]),
    stageDuration: histogram('freshet_stage_duration_seconds', 'Time of one batch in a stage.', ['stage']),
    batchRecords: histogram(
      'freshet_batch_records',
      'Records in a batch of a worker.',
      ['group'],
      [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    ),
    deadLettersOpen: gauge('freshet_dead_letters_open', 'Dead letters that nobody has retried or discarded.'),
    deadLetters: counter('freshet_dead_letters_total', 'Records that became dead letters.', ['stage', 'code']),
    piiFindings: counter('freshet_pii_findings_total', 'Values that the PII filter replaced.', ['entity']),
    recordsLost: counter(
      'freshet_records_lost_total',
      'Records that retention deleted before they were read; their source is read anew.',
      ['topic'],
    ),
    retries: counter('freshet_retries_total', 'Attempts that were repeated.', ['operation', 'code']),
    inFlightBytes: gauge('freshet_in_flight_bytes', 'Bytes of records that were read and not yet committed.', [
      'group',
    ]),
  };
}

function embedMetrics({ counter, gauge, histogram }: Makers) {
  return {
    embedTexts: counter(
      'freshet_embed_texts_total',
      'Passages that got a vector, by whether it was computed or reused.',
      ['result'],
    ),
    embedBatchTokens: histogram(
      'freshet_embed_batch_tokens',
      'Tokens in a batch sent to the embedder.',
      [],
      [64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768],
    ),
    embedDuration: histogram('freshet_embed_duration_seconds', 'Time of one batch in the embedder.'),
    embedConcurrency: gauge(
      'freshet_embed_concurrency_requests',
      'Requests to a remote embedder that may be in flight, as found by the latency of its replies.',
    ),
    embedRequests: counter('freshet_embed_requests_total', 'Requests to a remote embedder, by what became of them.', [
      'outcome',
    ]),
    embedDeferred: counter('freshet_embed_deferred_total', 'Passages indexed lexically first, whose vector follows.'),
  };
}

function sourceMetrics({ counter, gauge }: Makers) {
  return {
    sourceChanges: counter('freshet_source_changes_total', 'Changes that a connector has appended to the log.', [
      'source',
      'op',
    ]),
    sourceConnected: gauge('freshet_source_connected', '1 while a connector receives changes, else 0.', ['source']),
    sourceRetainedBytes: gauge(
      'freshet_source_retained_wal_bytes',
      'WAL that the source keeps for the replication slot.',
      ['source'],
    ),
    sourceResyncs: counter('freshet_source_resyncs_total', 'Re-snapshots of a source, by what made them necessary.', [
      'source',
      'reason',
    ]),
    sourceParity: gauge(
      'freshet_source_parity_ratio',
      'Share of documents that are equal in source and index, at the last reconciliation.',
      ['source'],
    ),
    hooks: counter('freshet_hooks_total', 'Webhook deliveries, by outcome.', ['source', 'outcome']),
  };
}

function queryMetrics({ counter, gauge, histogram }: Makers) {
  return {
    queryStepDuration: histogram('freshet_query_step_duration_seconds', 'Time of one step of a query.', ['step']),
    queries: counter('freshet_queries_total', 'Requests of the query API.', ['route', 'outcome']),
    feedback: counter(
      'freshet_feedback_total',
      'Answers that callers rated, by rating (up, down) and by what was rated (answered, refused); unknown: not an answer of this process.',
      ['rating', 'model', 'prompt', 'outcome'],
    ),
    rerankQueries: counter(
      'freshet_rerank_queries_total',
      'Queries whose results were to be reranked, by what became of it (reranked, or why the order stayed).',
      ['outcome'],
    ),
    cacheRequests: counter('freshet_cache_requests_total', 'Cache look-ups, by hit or miss.', ['cache', 'result']),
    cacheAudits: counter(
      'freshet_cache_audit_total',
      'Answers of the cache that were written anew to compare, by result (agrees, differs, refused, moved; stale must never be).',
      ['result'],
    ),
    generateTokens: counter(
      'freshet_generate_tokens_total',
      'Tokens that language models were given and have written, by kind (prompt, completion).',
      ['kind'],
    ),
    generateCost: counter(
      'freshet_generate_cost_usd_total',
      'Cost of generation in US dollars, by the prices in the config.',
    ),
    generateRequests: counter(
      'freshet_generate_requests_total',
      'Requests to a language model, by what became of them.',
      ['generator', 'outcome'],
    ),
    generateFirstToken: histogram(
      'freshet_generate_first_token_seconds',
      'From a request to a language model to the first words that are passed on.',
      ['generator'],
    ),
    generateWaiting: gauge('freshet_generate_waiting_requests', 'Questions that wait for a place at a generator.', [
      'generator',
    ]),
    generateFallbacks: counter(
      'freshet_generate_fallbacks_total',
      'Questions that went to the next generator, by the one that could not answer.',
      ['generator'],
    ),
  };
}

function observedMetrics({ counter, histogram }: Makers) {
  return {
    queryLogRecords: counter(
      'freshet_query_log_records_total',
      'Records of the query log, by outcome (written; dropped because the disk is behind; failed to be written).',
      ['outcome'],
    ),
    experimentQueries: counter('freshet_experiment_queries_total', 'Questions of an arm, by what became of them.', [
      'experiment',
      'arm',
      'outcome',
    ]),
    experimentDuration: histogram(
      'freshet_experiment_query_duration_seconds',
      'From a question of an arm to its whole reply.',
      ['experiment', 'arm'],
    ),
    experimentFeedback: counter('freshet_experiment_feedback_total', 'Ratings of replies of an arm (up, down).', [
      'experiment',
      'arm',
      'rating',
    ]),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** CPU, memory, event loop and garbage collection of the process. */
export function collectProcessMetrics(metrics: Metrics): void {
  collectDefaultMetrics({ register: metrics.registry });
}
