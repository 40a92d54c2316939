import type { RouteGroup } from '../deps.ts';
import { isAdmin } from '../may-administer.ts';
import { responses } from '../openapi.ts';
import { Freshness, readFreshness } from '../read-freshness.ts';

/** GET /v1/freshness: how far the index is, by source. */
export const freshnessRoutes: RouteGroup = (app, deps) => {
  app.get(
    '/v1/freshness',
    {
      schema: {
        operationId: 'freshness',
        summary: 'How far the index is, by source',
        tags: ['freshness'],
        response: responses(Freshness, 401, 503),
      },
    },
    async (request): Promise<Freshness> => readFreshness(deps, isAdmin(request, deps.config), request.left),
  );
};
