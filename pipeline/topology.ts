import type { Cache } from '../ports/cache/cache.ts';
import type { DocumentStore } from '../ports/document-store/document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { Log } from '../ports/log/log.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { FilledPipeline, TableConfig } from '../runtime/config/config.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../schemas/topics.ts';
import type { DeadLetters } from './dead-letters.ts';
import { createEmbedding } from './embedding.ts';
import { from, type Flow } from './flow.ts';
import type { PiiPolicy } from './pii/policy.ts';
import { attachVectors } from './sinks/attach-vectors.ts';
import { deferredQueue, EMBED_GROUP } from './sinks/deferred-vectors.ts';
import { documentsTopic } from './sinks/documents-topic.ts';
import { indexDocuments } from './sinks/index-documents.ts';
import { chunk, CHUNKER_VERSION } from './stages/chunk.ts';
import { chunkDocuments } from './stages/chunk-documents.ts';
import { compareContent } from './stages/compare-content.ts';
import { decodeChange } from './stages/decode-change.ts';
import { dedupe } from './stages/dedupe.ts';
import { embed } from './stages/embed.ts';
import { filterPiiStage } from './stages/filter-pii-stage.ts';
import { loadPassages } from './stages/load-passages.ts';

export const PREPARE_GROUP = 'freshet-prepare';
export const INDEX_GROUP = 'freshet-index';

/**
 * The group that fills the index of one model and chunker. Another model makes another index, which must read `freshet.documents` from
 * its beginning: behind the offsets of the former one it would claim positions whose documents it has never seen (I11).
 */
export function indexGroupOf(embedderFingerprint: string): string {
  return `${INDEX_GROUP}-${embedderFingerprint}-${CHUNKER_VERSION}`;
}

/** What a pipeline is made of; every dependency comes in here, so that one seed can replay any run. */
export interface PipelineParts {
  /** Topics that connectors append to, with the mapping of the table behind each; webhook topics have none. */
  readonly sourceTopics: readonly string[];
  readonly tables: ReadonlyMap<string, TableConfig>;
  /** Partitions of every topic. A key change can wait for another partition, so prepare has a worker for each. */
  readonly partitions: number;
  readonly log: Log;
  readonly store: DocumentStore;
  readonly embedder: Embedder;
  readonly cache: Cache;
  readonly deadLetters: DeadLetters;
  readonly config: FilledPipeline;
  readonly piiPolicy: PiiPolicy;
  /** Consumer group that fills the index; absent: INDEX_GROUP. An index under another name is filled from the beginning of the log. */
  readonly indexGroup?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One worker: the topics it reads, the flow it takes them through. */
export interface Route {
  readonly role: 'prepare' | 'index';
  /** How many run side by side in one process. */
  readonly workers: number;
  readonly group: string;
  readonly topics: readonly string[];
  readonly flow: Flow;
}

/** The pipeline as one list: topics -> stages -> sink. Records travel from top to bottom and never back. */
export function topology(parts: PipelineParts): readonly Route[] {
  const { log, store, clock, logger, metrics, config, embedder } = parts;
  const embedding = createEmbedding({
    embedder,
    store,
    cache: parts.cache,
    maxBatchTokens: config.embed.maxBatchTokens,
    clock,
    metrics,
  });
  const chunkOptions = { ...config.chunk, tokenizer: embedder.tokenizer, fingerprint: embedder.model.fingerprint };

  const decode = decodeChange({
    tables: parts.tables,
    log,
    deadLetters: parts.deadLetters,
    maxDocumentBytes: config.maxDocumentBytes,
    clock,
  });
  const withoutDuplicates = dedupe(log);
  const withoutPii = filterPiiStage(parts.piiPolicy, metrics);
  const compared = compareContent(store);
  const passages = chunkDocuments({ chunk: (document) => chunk(document, chunkOptions) });
  const vectors = embed({ embedding, inlineBudgetMs: config.embed.inlineBudgetMs, clock, logger, metrics });
  const index = indexDocuments({
    store,
    deferred: deferredQueue(log, clock),
    chunker: CHUNKER_VERSION,
    embedderFingerprint: embedder.model.fingerprint,
    clock,
    metrics,
  });
  const laterVectors = attachVectors({ store, embedding, clock, metrics });

  return [
    {
      role: 'prepare',
      workers: parts.partitions,
      group: PREPARE_GROUP,
      topics: parts.sourceTopics,
      flow: from(decode).through(withoutDuplicates).through(withoutPii).into(documentsTopic(log, withoutDuplicates)),
    },
    {
      role: 'index',
      workers: 1,
      group: parts.indexGroup ?? INDEX_GROUP,
      topics: [DOCUMENTS_TOPIC],
      flow: from(compared).through(passages).through(vectors).into(index),
    },
    {
      role: 'index',
      workers: 1,
      group: EMBED_GROUP,
      topics: [VECTORS_TOPIC],
      flow: from(loadPassages(store)).into(laterVectors),
    },
  ];
}
