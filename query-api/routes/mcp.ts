import type { FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import { Forbidden } from '../../runtime/errors.ts';
import type { RouteGroup } from '../deps.ts';
import { isLoopback } from '../identity.ts';
import type { Problem } from '../../schemas/problem.ts';
import { askingOf } from '../request-context.ts';
import { replyError } from '../reply-error.ts';

const Message = Type.Unknown({ description: 'A message of JSON-RPC 2.0, as the Model Context Protocol has it.' });

const REPLIES: Readonly<Record<number, TSchema>> = {
  200: Message,
  202: Type.Null({ description: 'A notification was taken.' }),
  ...Object.fromEntries([400, 401, 403, 413, 415, 'default'].map((status) => [status, Message])),
};

/**
 * POST /mcp: the Model Context Protocol over streamable HTTP, without sessions. GET and DELETE, which are about streams and sessions,
 * are answered with 405, as the protocol wants it.
 */
export const mcpRoutes: RouteGroup = (app, deps) => {
  app.post(
    '/mcp',
    {
      errorHandler: (thrown, request, reply) => {
        const problem = replyError(thrown, request, reply, deps.logger);
        void reply.type('application/json').send(rpcError(CODES[problem.status] ?? INTERNAL_ERROR, problem));
      },
      preHandler: async (request) => requireOwnOrigin(request, deps.config),
      schema: {
        operationId: 'callMcp',
        summary: 'Search, ask, freshness and explain as tools of the Model Context Protocol',
        tags: ['agents'],
        body: Message,
        response: REPLIES,
      },
    },
    async (request, reply) => {
      // Its package takes 0.3 s to load, and most processes are never asked for it.
      const { serveMcp } = await import('../mcp/serve-mcp.ts');
      const { headers, body } = request;
      const response = await serveMcp({ ...askingOf(request, 'mcp'), headers, message: body }, deps);
      const text = await response.text();
      return reply.code(response.status).headers(Object.fromEntries(response.headers)).send(Buffer.from(text));
    },
  );
  app.route({
    method: ['GET', 'DELETE'],
    url: '/mcp',
    schema: { hide: true },
    handler: async (_request, reply) =>
      reply
        .code(405)
        .header('allow', 'POST')
        .type('application/json')
        .send(rpcError(SERVER_ERROR, { title: 'Method not allowed: there are neither sessions nor streams here.' })),
  });
};

/** Codes of JSON-RPC 2.0, and the first of those that it leaves to servers. */
const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const INTERNAL_ERROR = -32_603;
const SERVER_ERROR = -32_000;
const CODES: Readonly<Record<number, number>> = {
  400: PARSE_ERROR,
  401: SERVER_ERROR,
  403: SERVER_ERROR,
  413: INVALID_REQUEST,
  415: INVALID_REQUEST,
};

/** What comes before a message is known has no id to answer to. */
function rpcError(code: number, problem: Partial<Problem>) {
  return {
    jsonrpc: '2.0',
    id: null,
    error: { code, message: problem.detail ?? problem.title ?? 'Error', ...(problem.code && { data: problem }) },
  };
}

/**
 * Keeps pages of other hosts out, as the protocol demands: an `Origin` must be the machine's own or the one that was called. With auth.mode none
 * also a foreign `Host` is refused, because a page can make its own name lead here (DNS rebinding).
 * @throws Forbidden
 */
function requireOwnOrigin({ headers, hostname }: FastifyRequest, { auth }: Pick<ResolvedConfig, 'auth'>): void {
  if (auth.mode === 'none' && !isLoopback(hostname))
    throw new Forbidden('Without auth this is for callers of this machine: call 127.0.0.1 or localhost.');
  const { origin } = headers;
  if (origin === undefined) return;
  const host = URL.canParse(origin) ? new URL(origin).hostname : '';
  if (!isLoopback(host) && (host === '' || host !== hostname))
    throw new Forbidden('Pages of another host may not call this: call it from the server of the page.');
}
