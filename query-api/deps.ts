import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { DocumentStore } from '../ports/document-store/document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { Generator } from '../ports/generator/generator.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { DeadLetter } from '../schemas/dead-letter.ts';
import type { AnswerCache } from './answer/cache/answer-cache.ts';
import type { Reranking } from './answer/rerank.ts';
import type { QueryLog } from './query-log/query-log.ts';
import type { RecentAnswers } from './recent-answers.ts';

/** Whether changes and queries are taken, and if not, why. Being behind is not a reason. */
export interface Readiness {
  readonly ready: boolean;
  /** For operators: one sentence each, no secrets. */
  readonly reasons: readonly string[];
}

/** What the process knows of a source beyond its place in the index. */
export interface SourceCondition {
  readonly connected?: boolean;
  /** In words of the connector: streaming, snapshot, resyncing ... */
  readonly state?: string;
  readonly reason?: string;
  /** Records in the log that the index has not passed. */
  readonly lagRecords?: number;
  /** Source commit to searchable, seconds. */
  readonly freshnessSeconds?: { readonly p50?: number; readonly p99?: number };
}

export interface FailureFilter {
  readonly state?: DeadLetter['state'];
  readonly source?: string;
  readonly code?: string;
  readonly limit: number;
}

/** Dead letters as an operator works on them. Ids are `<topic>/<partition>/<offset>`. */
export interface FailureDesk {
  /** Newest first. */
  list(filter: FailureFilter, signal?: AbortSignal): Promise<readonly DeadLetter[]>;
  show(id: string, signal?: AbortSignal): Promise<DeadLetter | undefined>;
  /** Puts the record back to work. Resolves with the letter's new state; undefined when there is none. Idempotent. */
  retry(id: string, signal?: AbortSignal): Promise<DeadLetter | undefined>;
  /** Gives the record up. The same outcomes as `retry`. */
  discard(id: string, signal?: AbortSignal): Promise<DeadLetter | undefined>;
}

/** What every process that listens needs: health, metrics, and the routes of its connectors. */
export interface OperationsDeps {
  readonly config: ResolvedConfig;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  ready(signal?: AbortSignal): Promise<Readiness>;
  /** Routes of connectors; query-api may not import them. */
  readonly plugins: readonly FastifyPluginAsync[];
}

/** Everything the API works with; nothing is opened or closed by it. */
export interface QueryApiDeps extends OperationsDeps {
  readonly store: DocumentStore;
  readonly embedder: Embedder;
  readonly generator: Generator;
  /** Absent: results keep the order of both legs. */
  readonly reranking?: Reranking;
  /** Absent: every answer is written. */
  readonly answers?: AnswerCache;
  /** By source; sources without an entry are shown by their position alone. */
  freshness(signal?: AbortSignal): Promise<Readonly<Record<string, SourceCondition>>>;
  readonly failures: FailureDesk;
  /** Absent: nothing is kept of questions. */
  readonly queryLog?: QueryLog;
}

/** What the routes of callers work with: also what the API keeps between two requests. */
export interface CallerDeps extends QueryApiDeps {
  readonly recentAnswers: RecentAnswers;
}

/** Adds a group of routes to the API. */
export type RouteGroup<Deps extends OperationsDeps = CallerDeps> = (app: FastifyInstance, deps: Deps) => void;
