import type { Cache } from '../ports/cache/cache.ts';
import type { DocumentStore } from '../ports/document-store/document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { Log } from '../ports/log/log.ts';
import type { SchemaRegistry } from '../ports/schema-registry/schema-registry.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { FilledPipeline, TableConfig } from '../runtime/config/config.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../schemas/topics.ts';
import type { DeadLetters } from './dead-letters.ts';
import { askForVectorsAgain, readSourceAnew, type MakeUp } from './lost-records.ts';
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
import { PREPARE_GROUP } from './topics.ts';
import { paceBackfill } from './stages/pace-backfill.ts';

export const INDEX_GROUP = 'freshet-index';

/**
 * The group that fills the index of one model and chunker. Another model makes another index, which must read `freshet.documents` from
 * its beginning: behind the offsets of the former one it would claim positions whose documents it has never seen (I11).
 */
export function indexGroupOf(embedderFingerprint: string): string {
  return `${INDEX_GROUP}-${embedderFingerprint}-${CHUNKER_VERSION}`;
}

/** What every part of the pipeline is made of; every dependency comes in here, so that one seed can replay any run. */
interface CommonParts {
  readonly log: Log;
  readonly deadLetters: DeadLetters;
  readonly config: FilledPipeline;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What turns changes into redacted documents. */
export interface PrepareParts extends CommonParts {
  /** Topics that connectors append to, with the mapping of the table behind each; webhook topics have none. */
  readonly sourceTopics: readonly string[];
  readonly tables: ReadonlyMap<string, TableConfig>;
  /** By topic, the source that can read it anew when retention has deleted what was not read; absent: the loss stops the worker. */
  readonly rereadable?: ReadonlyMap<string, string>;
  /** How many workers run side by side in one process. A key change can wait for a partition of another worker. */
  readonly prepareWorkers: number;
  readonly piiPolicy: PiiPolicy;
  /** Where the schemas of Avro records are; absent: such records are dead letters. */
  readonly schemaRegistry?: SchemaRegistry;
}

/** What fills the index from redacted documents. */
export interface IndexParts extends CommonParts {
  readonly store: DocumentStore;
  readonly embedder: Embedder;
  readonly cache: Cache;
  /** How many workers run side by side in one process: while one writes, another one embeds. */
  readonly indexWorkers: number;
  /** Batches of one worker that the embedder has at a time; absent: one and one that waits. */
  readonly embedStreams?: number;
  /** Vectors that were deferred are written as they come, not batch by batch; see VectorsOnArrival. */
  readonly vectorsOnArrival?: boolean;
  /** Consumer group that fills the index; absent: INDEX_GROUP. An index under another name is filled from the beginning of the log. */
  readonly indexGroup?: string;
}

export interface PipelineParts extends PrepareParts, IndexParts {
  readonly random: Random;
}

/** One worker: the topics it reads, the flow it takes them through. */
export interface Route {
  readonly role: 'prepare' | 'index';
  /** How many run side by side in one process. */
  readonly workers: number;
  readonly group: string;
  readonly topics: readonly string[];
  readonly flow: Flow;
  /** What is done about records that retention deleted unread; absent: the worker stops. */
  readonly makeUp?: MakeUp;
}

/** The pipeline as one list: topics -> stages -> sink. Records travel from top to bottom and never back. */
export function topology(parts: PipelineParts): readonly Route[] {
  return [...prepareRoutes(parts), ...indexRoutes(parts)];
}

/** Source topics -> `freshet.documents`. */
export function prepareRoutes(parts: PrepareParts): readonly Route[] {
  const { log, config, deadLetters, clock, metrics } = parts;
  const decode = decodeChange({
    tables: parts.tables,
    log,
    deadLetters,
    ...(parts.schemaRegistry && { schemaRegistry: parts.schemaRegistry }),
    maxDocumentBytes: config.maxDocumentBytes,
    clock,
  });
  const paced = paceBackfill({ log, clock, indexGroup: INDEX_GROUP });
  const withoutDuplicates = dedupe(log);
  const withoutPii = filterPiiStage(parts.piiPolicy, metrics);
  return [
    {
      role: 'prepare',
      workers: parts.prepareWorkers,
      group: PREPARE_GROUP,
      topics: parts.sourceTopics,
      flow: from(paced)
        .through(decode)
        .through(withoutDuplicates)
        .through(withoutPii)
        .into(documentsTopic(log, withoutDuplicates)),
      makeUp: readSourceAnew(parts, (topic) => parts.rereadable?.get(topic)),
    },
  ];
}

/** `freshet.documents` -> the index, and vectors that follow later. */
export function indexRoutes(parts: IndexParts): readonly Route[] {
  const { log, store, clock, logger, metrics, config, embedder } = parts;
  const embedding = createEmbedding({
    embedder,
    store,
    cache: parts.cache,
    maxBatchTokens: config.embed.maxBatchTokens,
    ...(parts.embedStreams !== undefined && { streams: parts.embedStreams }),
    clock,
    metrics,
  });
  const chunkOptions = { ...config.chunk, tokenizer: embedder.tokenizer, fingerprint: embedder.model.fingerprint };

  const compared = compareContent(store);
  const passages = chunkDocuments({ chunk: (document) => chunk(document, chunkOptions) });
  const vectors = embed({ embedding, inlineBudgetMs: config.embed.inlineBudgetMs, clock, logger, metrics });
  const deferred = deferredQueue(log, clock);
  const index = indexDocuments({
    store,
    deferred,
    chunker: CHUNKER_VERSION,
    embedderFingerprint: embedder.model.fingerprint,
    clock,
    metrics,
  });
  const laterVectors = attachVectors({ store, embedding, onArrival: parts.vectorsOnArrival, clock, metrics });
  return [
    {
      role: 'index',
      workers: parts.indexWorkers,
      group: parts.indexGroup ?? INDEX_GROUP,
      topics: [DOCUMENTS_TOPIC],
      flow: from(compared).through(passages).through(vectors).into(index),
    },
    {
      role: 'index',
      workers: parts.indexWorkers,
      group: EMBED_GROUP,
      topics: [VECTORS_TOPIC],
      flow: from(loadPassages(store)).into(laterVectors),
      makeUp: askForVectorsAgain(parts, deferred),
    },
  ];
}
