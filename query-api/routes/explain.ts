import Type from 'typebox';
import type { RouteGroup } from '../deps.ts';
import { explainDocument, Explanation } from '../explain-document.ts';
import { requireAdmin } from '../may-administer.ts';
import { responses } from '../openapi.ts';

const Params = Type.Object({
  id: Type.String({ description: 'Document id or passage id, percent-encoded once more.' }),
});

/** GET /v1/admin/explain/<id>: what the index holds of a document or passage and why it is (not) searchable. Shows no text. */
export const explainRoutes: RouteGroup = (app, deps) => {
  app.get<{ Params: Type.Static<typeof Params> }>(
    '/v1/admin/explain/:id',
    {
      schema: {
        operationId: 'explainDocument',
        summary: 'Why a document or passage is, or is not, searchable',
        tags: ['operations'],
        params: Params,
        response: responses(Explanation, 401, 403, 404, 503),
      },
    },
    async (request): Promise<Explanation> => {
      requireAdmin(request, deps.config);
      return explainDocument(request.params.id, deps.store, () => true, request.left);
    },
  );
};
