import { retrieve, type RetrieveDeps } from '../../query-api/answer/retrieve.ts';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import { MAX_K } from '../../schemas/query.ts';
import { PRINCIPAL, setIdOf } from './fill-store.ts';
import type { SetQuery } from './read-set.ts';

export const LEGS = ['lexical', 'dense', 'hybrid'] as const;
export type Leg = (typeof LEGS)[number];

/** What one query found. */
export interface Ranking {
  readonly query: SetQuery;
  /** Ids of the set's documents, each once at the rank of its best passage, best first. */
  readonly documents: readonly string[];
  /** The whole way of the query but the HTTP around it, ms. */
  readonly tookMs: number;
}

/** A query waits for its vector and its order as long as it takes, so that a busy machine changes the time and not the figures, ms. */
const PATIENCE_MS = 60_000;

/**
 * Asks every query as `/v1/search` would with the largest `k`, one after the other.
 * @throws RerankerUnavailable when one is left out: figures of another order would count as the reranker's.
 */
export async function runQueries(
  queries: readonly SetQuery[],
  leg: Leg,
  deps: Omit<RetrieveDeps, 'sources' | 'embedDeadlineMs'>,
  signal: AbortSignal,
): Promise<readonly Ranking[]> {
  const { reranking } = deps;
  const patient = {
    ...deps,
    sources: [],
    embedDeadlineMs: PATIENCE_MS,
    ...(reranking && { reranking: { ...reranking, timeoutMs: PATIENCE_MS } }),
  };
  const rankings: Ranking[] = [];
  for (const query of queries) {
    const { hits, timingsMs, reranked } = await retrieve(
      { query: query.text, mode: leg, k: MAX_K },
      PRINCIPAL,
      patient,
      {
        gone: signal,
        left: signal,
      },
    );
    if (reranked === false) throw new RerankerUnavailable(`The query ${query.id} was not reranked.`);
    const documents = [...new Set(hits.map((hit) => setIdOf(hit.documentId)))];
    rankings.push({ query, documents, tookMs: timingsMs['total'] ?? Number.NaN });
  }
  return rankings;
}
