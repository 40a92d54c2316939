import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AnswerEvent } from '../../schemas/answer.ts';
import { toldOf, toProblem } from '../problem.ts';

/** A silent connection is cut by proxies after 30 to 60 s, ms. */
const HEARTBEAT_MS = 15_000;

interface StreamDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly traceId: string;
}

/**
 * Writes events to a hijacked reply as they come, with a heartbeat comment every 15 s, and ends it. What fails on the way becomes an
 * `error` event. Waits while the caller reads more slowly than the answer is written. A caller that goes away ends the iterator.
 */
export async function streamEvents(
  first: IteratorResult<AnswerEvent, unknown>,
  rest: AsyncIterator<AnswerEvent>,
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
      if (!raw.write(format(next.value))) await once(raw, 'drain', { signal: gone });
    }
  } catch (thrown) {
    const { code, title, detail, status } = toProblem(toldOf(thrown, gone), traceId);
    if (status === 500 && !gone.aborted) logger.error('A streamed answer failed.', { error: thrown as Error, traceId });
    if (!raw.destroyed)
      raw.write(format({ event: 'error', data: { code, title, ...(detail !== undefined && { detail }) } }));
  } finally {
    finished.abort();
    await rest.return?.();
    await heartbeats;
    raw.end();
  }
}

/** JSON has no raw line break, so one `data` line holds any event. */
function format({ event, data }: AnswerEvent): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
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
