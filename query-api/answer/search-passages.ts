import type { Principal } from '../../schemas/principal.ts';
import type { SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { retrieve, type RetrieveDeps } from './retrieve.ts';
import { toSearchResult } from './search-result.ts';
import type { RequestSignals } from './wait-for-position.ts';

/** What POST /v1/search replies. @throws what `retrieve` throws. */
export async function searchPassages(
  request: SearchRequest,
  principal: Principal,
  deps: RetrieveDeps,
  traceId: string,
  signals: RequestSignals,
): Promise<SearchResponse> {
  const retrieval = await retrieve(request, principal, deps, signals);
  return {
    results: retrieval.hits.map(toSearchResult),
    asOf: retrieval.asOf,
    coverage: retrieval.coverage,
    ...(retrieval.degraded.length > 0 && { degraded: [...retrieval.degraded] }),
    ...(retrieval.reranked !== undefined && { reranked: retrieval.reranked }),
    timingsMs: retrieval.timingsMs,
    ...(retrieval.explanation && { explanation: retrieval.explanation }),
    traceId,
  };
}
