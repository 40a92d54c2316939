import type { FastifyReply, FastifyRequest } from 'fastify';
import { FreshetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Problem } from '../schemas/problem.ts';
import { toldOf, toProblem } from './problem.ts';

/**
 * What to tell a caller of a failed request. Sets the status and the headers that go with it, and logs what an operator must know; the
 * body is left to the route, because some clients read another shape than a problem.
 */
export function replyError(thrown: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): Problem {
  const error = toldOf(thrown, request.gone);
  const problem = toProblem(error, request.traceId);
  const isOurs =
    problem.status === 500 || (problem.status > 500 && error instanceof FreshetError && error.fate === 'fatal');
  if (isOurs && !request.gone.aborted)
    logger.error('A request failed.', {
      error: thrown as Error,
      traceId: request.traceId,
      route: request.routeOptions.url,
    });
  if (error instanceof FreshetError && error.retryAfterSeconds !== undefined)
    void reply.header('retry-after', String(error.retryAfterSeconds));
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  void reply.code(problem.status);
  return problem;
}
