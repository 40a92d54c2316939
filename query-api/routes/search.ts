import type { SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { SearchRequest as SearchRequestSchema, SearchResponse as SearchResponseSchema } from '../../schemas/query.ts';
import type { RouteGroup } from '../deps.ts';
import { responses } from '../openapi.ts';
import { askingOf } from '../request-context.ts';
import { serveSearch } from '../serve-query.ts';

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
    async (request): Promise<SearchResponse> => serveSearch(request.body, askingOf(request, 'search'), deps),
  );
};
