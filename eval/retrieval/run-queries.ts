import { retrieve, type RetrieveDeps } from '../../query-api/answer/retrieve.ts';
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

/** A query waits for its vector as long as it takes, so that a busy machine changes the time and not the figures, ms. */
const EMBED_DEADLINE_MS = 60_000;

/** Asks every query as `/v1/search` would with the largest `k`, one after the other. */
export async function runQueries(
  queries: readonly SetQuery[],
  leg: Leg,
  deps: Omit<RetrieveDeps, 'sources' | 'embedDeadlineMs'>,
  signal: AbortSignal,
): Promise<readonly Ranking[]> {
  const patient = { ...deps, sources: [], embedDeadlineMs: EMBED_DEADLINE_MS };
  const rankings: Ranking[] = [];
  for (const query of queries) {
    const { hits, timingsMs } = await retrieve({ query: query.text, mode: leg, k: MAX_K }, PRINCIPAL, patient, {
      gone: signal,
      left: signal,
    });
    const documents = [...new Set(hits.map((hit) => setIdOf(hit.documentId)))];
    rankings.push({ query, documents, tookMs: timingsMs['total'] ?? Number.NaN });
  }
  return rankings;
}
