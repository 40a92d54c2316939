import Type from 'typebox';
import type { OperationsDeps, RouteGroup } from '../deps.ts';
import { nameSchemas } from '../openapi-names.ts';

const Live = Type.Object({ alive: Type.Boolean() });
const Ready = Type.Object({ ready: Type.Boolean(), reasons: Type.Array(Type.String()) });

/** Health, metrics and the description of the API. These identify nobody and show nothing of any document. */
export const operationsRoutes: RouteGroup<OperationsDeps> = (app, deps) => {
  app.get(
    '/livez',
    {
      schema: {
        operationId: 'live',
        security: [],
        summary: 'The process answers',
        tags: ['operations'],
        response: { 200: Live },
      },
    },
    async () => ({ alive: true }),
  );
  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'ready',
        security: [],
        summary: 'Changes and queries are taken; being behind shows in freshness instead',
        tags: ['operations'],
        response: { 200: Ready, 503: Ready },
      },
    },
    async (request, reply) => {
      const { ready, reasons } = await deps.ready(request.left);
      return reply.code(ready ? 200 : 503).send({ ready, reasons });
    },
  );
  app.get(
    '/metrics',
    { schema: { summary: 'Prometheus', tags: ['operations'], hide: true } },
    async (_request, reply) =>
      reply.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics()),
  );
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('application/json').send(JSON.stringify(nameSchemas(app.swagger()))),
  );
};
