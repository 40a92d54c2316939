import Type from 'typebox';
import { NotFound } from '../../runtime/errors.ts';
import { DeadLetter } from '../../schemas/dead-letter.ts';
import type { FailureDesk, RouteGroup } from '../deps.ts';
import { requireAdmin } from '../may-administer.ts';
import { responses } from '../openapi.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

const Query = Type.Object(
  {
    state: Type.Optional(DeadLetter.properties.state),
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    code: Type.Optional(Type.String({ pattern: '^[A-Z_]{1,64}$' })),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$' })),
  },
  { additionalProperties: false },
);
const Params = Type.Object({
  id: Type.String({ description: '`<topic>/<partition>/<offset>`, percent-encoded once more.' }),
});
export const Failures = Type.Object({ failures: Type.Array(DeadLetter) });

/** /v1/admin/failures: dead letters, for operators. */
export const failureRoutes: RouteGroup = (app, { failures, config }) => {
  app.get<{ Querystring: Type.Static<typeof Query> }>(
    '/v1/admin/failures',
    {
      schema: {
        operationId: 'listFailures',
        summary: 'Dead letters, newest first',
        tags: ['operations'],
        querystring: Query,
        response: responses(Failures, 400, 401, 403, 503),
      },
    },
    async (request): Promise<Type.Static<typeof Failures>> => {
      requireAdmin(request, config);
      const { limit, ...filter } = request.query;
      const letters = await failures.list(
        { ...filter, limit: Math.min(MAX_LIMIT, Number(limit ?? DEFAULT_LIMIT)) },
        request.left,
      );
      return { failures: [...letters] };
    },
  );
  const one = (method: 'GET' | 'POST', path: string, summary: string, act: keyof Omit<FailureDesk, 'list'>) =>
    app.route<{ Params: Type.Static<typeof Params> }>({
      method,
      url: `/v1/admin/failures/:id${path}`,
      schema: {
        operationId: `${act}Failure`,
        summary,
        tags: ['operations'],
        params: Params,
        response: responses(DeadLetter, 401, 403, 404, 503),
      },
      handler: async (request): Promise<DeadLetter> => {
        requireAdmin(request, config);
        const letter = await failures[act](request.params.id, request.left);
        if (!letter) throw new NotFound('There is no such dead letter.');
        return letter;
      },
    });
  one('GET', '', 'One dead letter', 'show');
  one('POST', '/retry', 'Puts the record of a dead letter back to work', 'retry');
  one('POST', '/discard', 'Gives the record of a dead letter up', 'discard');
};
