import type { SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { SearchRequest as SearchRequestSchema, SearchResponse as SearchResponseSchema } from '../../schemas/query.ts';
import { searchPassages } from '../answer/search-passages.ts';
import type { RouteGroup } from '../deps.ts';
import { responses } from '../openapi.ts';

/** POST /v1/search */
export const searchRoutes: RouteGroup = (app, deps) => {
  app.post<{ Body: SearchRequest }>(
    '/v1/search',
    {
      schema: {
        operationId: 'search',
        summary: 'Finds the passages for a query',
        tags: ['questions'],
        body: SearchRequestSchema,
        response: responses(SearchResponseSchema, 400, 401, 413, 415, 503),
      },
    },
    async (request): Promise<SearchResponse> =>
      searchPassages(
        request.body,
        request.principal,
        { ...deps, sources: deps.config.sources },
        request.traceId,
        request,
      ),
  );
};
