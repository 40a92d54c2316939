import type { SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { SearchRequest as SearchRequestSchema, SearchResponse as SearchResponseSchema } from '../../schemas/query.ts';
import { retrieve } from '../answer/retrieve.ts';
import { toSearchResult } from '../answer/search-result.ts';
import type { RouteGroup } from '../deps.ts';
import { responses } from '../openapi.ts';

/** POST /v1/search */
export const searchRoutes: RouteGroup = (app, deps) => {
  app.post<{ Body: SearchRequest }>(
    '/v1/search',
    {
      schema: {
        summary: 'Finds the passages for a query',
        tags: ['questions'],
        body: SearchRequestSchema,
        response: responses(SearchResponseSchema, 400, 401, 413, 415, 503),
      },
    },
    async (request): Promise<SearchResponse> => {
      const retrieval = await retrieve(
        request.body,
        request.principal,
        { ...deps, sources: deps.config.sources },
        request,
      );
      return {
        results: retrieval.hits.map(toSearchResult),
        asOf: retrieval.asOf,
        coverage: retrieval.coverage,
        ...(retrieval.degraded.length > 0 && { degraded: [...retrieval.degraded] }),
        timingsMs: retrieval.timingsMs,
        traceId: request.traceId,
      };
    },
  );
};
