import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Random } from '../runtime/clock.ts';
import { ShuttingDown } from '../runtime/errors.ts';
import type { Principal } from '../schemas/principal.ts';
import type { QueryRoute } from '../schemas/query-record.ts';
import type { OperationsDeps } from './deps.ts';
import { unitOf } from './experiments/assign-arms.ts';
import type { Asking } from './serve-query.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Names this request in its reply, in logs and in feedback. */
    traceId: string;
    /** Who asks; a scope that matches nothing on routes that identify nobody. */
    principal: Principal;
    /** Aborts when the caller goes away or the server stops: for what may take long, a wait or a stream. */
    gone: AbortSignal;
    /** Aborts when the caller goes away: for what is soon done, which a server that stops finishes. */
    left: AbortSignal;
  }
}

const REQUEST_ID = /^[\w.-]{1,128}$/;
const TRACE_ID_BYTES = 16;
/** How long requests that come after the stop are still answered: each reply closes its connection, but new ones may come. */
const MAX_LATE_MS = 1_000;
const NOBODY: Principal = { tenant: '', groups: [] };

/**
 * Gives every request its trace id and the signal that ends its work, counts its outcome, and lets the server close: waits and streams
 * under way are ended, replies under way are finished, and only then are the connections cut.
 */
export function addRequestContext(app: FastifyInstance, { clock, random, metrics }: OperationsDeps): void {
  const stopping = new AbortController();
  const underWay = new Set<ServerResponse>();
  app.decorateRequest('traceId', '');
  app.decorateRequest('principal');
  app.decorateRequest('gone');
  app.decorateRequest('left');
  app.addHook('onRequest', async (request, reply) => {
    const left = new AbortController();
    const { raw } = reply;
    underWay.add(raw);
    // Not `onResponse`: a hijacked reply, as every stream is, never comes there.
    raw.once('close', () => {
      underWay.delete(raw);
      left.abort(new DOMException('The caller has gone away.', 'AbortError'));
      const route = request.routeOptions.url ?? 'unknown';
      metrics.queries.inc({ route, outcome: raw.writableEnded ? `${Math.floor(raw.statusCode / 100)}xx` : 'aborted' });
    });
    request.left = left.signal;
    request.gone = AbortSignal.any([left.signal, stopping.signal]);
    request.traceId = newTraceId(random);
    request.principal = NOBODY;
    const sent = request.headers['x-request-id'];
    void reply.header('x-request-id', typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : request.traceId);
    void reply.header('x-content-type-options', 'nosniff');
  });
  app.addHook('preClose', async () => {
    stopping.abort(new ShuttingDown('The server is stopping.'));
    const untilMs = clock.monotonicMs() + MAX_LATE_MS;
    do await Promise.all([...underWay].map((raw) => once(raw, 'close')));
    while (underWay.size > 0 && clock.monotonicMs() < untilMs);
    // Browsers open connections ahead of need; node counts one that has sent nothing as busy and would wait for it.
    app.server.closeAllConnections();
  });
}

/** Who asks by a request, for what serves questions. */
export function askingOf(request: FastifyRequest, route: QueryRoute): Asking {
  const { principal, traceId, headers } = request;
  return { route, principal, traceId, unit: unitOf(headers), signals: request };
}

/** 16 random bytes in hexadecimal, the form of a W3C trace id. */
export function newTraceId(random: Random): string {
  const byte = () =>
    Math.floor(random() * 256)
      .toString(16)
      .padStart(2, '0');
  return Array.from({ length: TRACE_ID_BYTES }, byte).join('');
}
