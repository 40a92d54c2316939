import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AnswerEvent } from '../../schemas/answer.ts';
import type { Problem } from '../../schemas/problem.ts';
import { toldOf, toProblem } from '../problem.ts';

/** A silent connection is cut by proxies after 30 to 60 s, ms. */
const HEARTBEAT_MS = 15_000;

interface StreamDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly traceId: string;
}

/** How events are spelled for those who read the stream. JSON has no raw line break, so one `data` line holds any event. */
export interface Wire<Event> {
  event(event: Event): string;
  /** What ends a stream that failed. */
  failure(problem: Problem): string;
  /** What ends a stream that is complete, if anything. */
  readonly complete?: string;
}

/** The events of POST /v1/answer, by their names. */
export const ANSWER_WIRE: Wire<AnswerEvent> = {
  event: ({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`,
  failure: ({ code, title, detail }) =>
    ANSWER_WIRE.event({ event: 'error', data: { code, title, ...(detail !== undefined && { detail }) } }),
};

/**
 * Writes events to a hijacked reply as they come, with a heartbeat comment every 15 s, and ends it. What fails on the way becomes the
 * wire's `failure`. Waits while the caller reads more slowly than the answer is written. A caller that goes away ends the iterator.
 */
export async function streamEvents<Event>(
  first: IteratorResult<Event, unknown>,
  rest: AsyncIterator<Event>,
  wire: Wire<Event>,
  reply: FastifyReply,
  { clock, logger, traceId }: StreamDeps,
  gone: AbortSignal,
): Promise<void> {
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no', // nginx would hold tokens back
  });
  const finished = new AbortController();
  const heartbeats = beat(() => raw.write(': heartbeat\n\n'), clock, AbortSignal.any([gone, finished.signal]));
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      if (raw.destroyed) break;
      if (!raw.write(wire.event(next.value))) await once(raw, 'drain', { signal: gone });
    }
    if (wire.complete !== undefined && !raw.destroyed) raw.write(wire.complete);
  } catch (thrown) {
    const problem = toProblem(toldOf(thrown, gone), traceId);
    if (problem.status === 500 && !gone.aborted)
      logger.error('A streamed answer failed.', { error: thrown as Error, traceId });
    if (!raw.destroyed) raw.write(wire.failure(problem));
  } finally {
    finished.abort();
    await rest.return?.();
    await heartbeats;
    raw.end();
  }
}

async function beat(write: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, signal);
      write();
    }
  } catch {
    // the stream has ended
  }
}
