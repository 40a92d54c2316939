import type {
  DocumentStore,
  Fusion,
  Hit,
  StoreProgress,
  StoreQuery,
} from '../../ports/document-store/document-store.ts';
import { REFERENCE_RANK } from '../../ports/document-store/fuse.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { SourceConfig } from '../../runtime/config/config.ts';
import { EmbedderUnavailable, FreshetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Principal } from '../../schemas/principal.ts';
import type { RetrievalExplanation } from '../../schemas/explanation.ts';
import type { AsOf, SearchRequest } from '../../schemas/query.ts';
import { classifyQuery, LEG_WEIGHTS } from './classify-query.ts';
import { collapseCopies } from './collapse-copies.ts';
import { embedQuery, EMBED_DEADLINE_MS } from './embed-query.ts';
import { explainRetrieval, searchTraced, type TracedHits } from './explain-retrieval.ts';
import { rerank, type Reranking } from './rerank.ts';
import { stepTimer, type Timings } from './step-timer.ts';
import { asOf, waitForPosition, type RequestSignals } from './wait-for-position.ts';

const DEFAULT_K = 8;
/** Hits that each leg gives: what one leg ranks first, the other one often ranks late, and its score there counts. */
const MIN_DEPTH = REFERENCE_RANK;
const DEPTH_PER_K = 4;
/** Hits that are read for each passage that is wanted where copies are left out: a text may be there as often. */
const COPIES = 4;

export interface RetrieveDeps {
  readonly store: DocumentStore;
  readonly embedder: Embedder;
  readonly sources: readonly SourceConfig[];
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly embedDeadlineMs?: number;
  /** Absent: there is no reranker. */
  readonly reranking?: Reranking;
  /** Of passages with the same text only the best is found, as a prompt wants it. */
  readonly withoutCopies?: boolean;
}

export interface Retrieval {
  /** Best first. */
  readonly hits: readonly Hit[];
  readonly asOf: AsOf;
  readonly coverage: { readonly dense: number };
  readonly degraded: readonly 'dense'[];
  /** Whether the hits stand in the reranker's order; undefined when that was not asked for. */
  readonly reranked: boolean | undefined;
  readonly timingsMs: Timings;
  /** Why these hits; undefined when that was not asked for. */
  readonly explanation?: RetrievalExplanation;
}

/**
 * Finds the passages for a query: waits for the positions asked for, takes `asOf`, embeds the query, reads both legs from one state of
 * the store, fuses, and puts the best in the order of the reranker, where there is one. `asOf` is taken before the search reads, so that a reply may be newer than it claims and never older (I11).
 * In mode hybrid a slow or failing embedder costs the dense leg, not the reply; `degraded` says so. A slow or failing reranker costs its
 * order; `reranked` says so.
 * @throws InvalidRequest, NotFreshYet, StoreUnavailable; EmbedderUnavailable in mode dense only.
 */
export async function retrieve(
  request: SearchRequest,
  principal: Principal,
  deps: RetrieveDeps,
  signals: RequestSignals,
): Promise<Retrieval> {
  const { store, clock } = deps;
  const timer = stepTimer(clock, deps.metrics);
  const wait = { after: request.after ?? {}, waitFor: request.waitFor ?? 'searchable' };
  const progress = await timer.time('wait', () =>
    waitForPosition({ ...wait, ...withWaitMs(request) }, deps.sources, store, clock, signals),
  );
  const mode = request.mode ?? 'hybrid';
  const vector =
    mode === 'lexical' ? undefined : await timer.time('embed', () => queryVector(request, deps, signals.left));
  if (mode === 'dense' && !vector) throw new EmbedderUnavailable('The query could not be embedded in time.');

  const k = request.k ?? DEFAULT_K;
  const depth = Math.max(MIN_DEPTH, DEPTH_PER_K * k);
  const wantsRerank = request.rerank ?? deps.reranking?.use === 'always';
  const reranking = wantsRerank ? deps.reranking : undefined;
  const count = Math.max(k, reranking?.candidates ?? 0);
  const query: StoreQuery = {
    scope: { principal, filter: request.filter ?? {} },
    ...(mode !== 'dense' && { lexical: { text: request.query, depth } }),
    ...(vector && { dense: { vector, depth } }),
  };
  const fusion = {
    weights: LEG_WEIGHTS[classifyQuery(request.query)],
    count: deps.withoutCopies ? COPIES * count : count,
  };
  const { best, traced } = await timer.time('search', () => searchStore(query, fusion, request, store, signals.left));
  const different = deps.withoutCopies ? collapseCopies(best) : best;
  const found = different.slice(0, count);
  const ordered =
    reranking && (await timer.time('rerank', () => rerank(request.query, found, reranking, deps, signals)));
  const hits = ordered ?? found;
  const isDegraded = mode === 'hybrid' && !vector;
  return {
    hits: hits.slice(0, k),
    asOf: asOf(progress),
    coverage: { dense: isDegraded ? 0 : denseCoverage(progress) },
    degraded: isDegraded ? ['dense'] : [],
    reranked: wantsRerank ? ordered !== undefined : undefined,
    timingsMs: timer.finish(),
    ...(traced && {
      explanation: explainRetrieval(request, traced, hits, {
        copies: best.filter((hit) => !different.includes(hit)),
        k,
        legs: {
          lexical: mode === 'dense' ? 'not-asked' : 'ran',
          dense: mode === 'lexical' ? 'not-asked' : vector ? 'ran' : 'late',
        },
        rerank: ordered ? 'reranked' : wantsRerank ? 'kept-order' : 'off',
        candidates: reranking?.candidates ?? 0,
      }),
    }),
  };
}

/** What the store finds, fused; with both legs where the request wants to know why. */
async function searchStore(
  query: StoreQuery,
  fusion: Fusion,
  { explain = false }: SearchRequest,
  store: DocumentStore,
  signal: AbortSignal,
): Promise<{ readonly best: readonly Hit[]; readonly traced?: TracedHits }> {
  if (!explain) return { best: await store.best(query, fusion, signal) };
  const traced = await searchTraced(store, query, fusion, signal);
  return { best: traced.fused.slice(0, fusion.count), traced };
}

function withWaitMs({ waitMs }: SearchRequest): { readonly waitMs?: number } {
  return waitMs === undefined ? {} : { waitMs };
}

async function queryVector(
  { query }: SearchRequest,
  { embedder, clock, logger, embedDeadlineMs = EMBED_DEADLINE_MS }: RetrieveDeps,
  signal: AbortSignal,
): Promise<Float32Array | undefined> {
  const outcome = await embedQuery(query, embedder, clock, embedDeadlineMs, signal);
  if ('vector' in outcome) return outcome.vector;
  const { failure } = outcome;
  logger.warn('The query was not embedded; its dense leg was left out.', {
    cause: failure instanceof FreshetError ? failure.code : failure instanceof Error ? failure.name : typeof failure,
  });
  return undefined;
}

/** Share of live passages that have their vector; 1 for an empty index, because nothing is missing from it. */
function denseCoverage({ passages, passagesWithVector }: StoreProgress): number {
  return passages === 0 ? 1 : Math.min(1, passagesWithVector / passages);
}
