import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../runtime/logger.ts';
import type { ChatError } from '../../schemas/chat.ts';
import type { Problem } from '../../schemas/problem.ts';
import { replyError } from '../reply-error.ts';

/** Names by which clients of OpenAI's API know the kind of an error. */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
};

/** A problem in the shape that clients of OpenAI's API read. They show the message alone, so it names every fault. */
export function toChatError({ status, code, title, detail, errors = [], traceId }: Problem): ChatError {
  const faults = errors.map(({ pointer, detail: what }) => `${pointer} ${what}`).join('; ');
  const said = detail ?? `${title}.`;
  const [first] = errors;
  return {
    error: {
      message: faults === '' ? said : `${said.replace(/\.$/, '')}: ${faults}.`,
      type: TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error'),
      param: first ? first.pointer.slice(1).replaceAll('/', '.') : null,
      code,
      ...(errors.length > 0 && { errors }),
      ...(traceId !== undefined && { traceId }),
    },
  };
}

/** For routes whose callers are clients of OpenAI's API. */
export function chatErrors({ logger }: { readonly logger: Logger }) {
  return (thrown: Error, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = replyError(thrown, request, reply, logger);
    void reply.type('application/json').send(toChatError(problem));
  };
}
