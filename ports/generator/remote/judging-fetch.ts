import type { Clock } from '../../../runtime/clock.ts';
import { judgeException, judgeRefusal } from '../../remote/judge-response.ts';
import { ChatFailure } from './chat-endpoint.ts';
import { unusable } from './read-chunk.ts';

/** Bytes of one event with one token: the frame of a chunk takes 200 to 400, more with log probabilities, which nobody asks for. */
const MAX_BYTES_PER_TOKEN = 2_048;
const MAX_FRAME_BYTES = 65_536;

/** The most bytes that an honest stream of so many tokens has. */
export function maxStreamBytes(maxTokens: number): number {
  return MAX_FRAME_BYTES + maxTokens * MAX_BYTES_PER_TOKEN;
}

/**
 * A `fetch` that judges statuses, `Retry-After` and system errors before a vendor's client sees them, and ends a reply that goes on for ever. Clients
 * put prompts into their errors, drop headers, or repeat requests on their own.
 * @throws ChatFailure, the signal's reason.
 */
export function judgingFetch(clock: Clock, maxBytes: number, signal: AbortSignal): typeof globalThis.fetch {
  return async (input, init) => {
    let response: Response;
    try {
      response = await fetch(input, { ...init, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw new ChatFailure(faultOf(judgeException(error)));
    }
    if (!response.ok) {
      const fault = judgeRefusal(response.status, response.headers, clock.now());
      // The connection can be used again only when the body is gone.
      void response.body?.cancel().catch(() => undefined);
      throw new ChatFailure(faultOf(fault));
    }
    const { status, headers } = response;
    return new Response(response.body?.pipeThrough(cappedAt(maxBytes)) ?? null, { status, headers });
  };
}

/** What an exception while a body is read means. */
export function bodyFailure(error: unknown): ChatFailure {
  if (error instanceof ChatFailure) return error;
  if (error instanceof SyntaxError) return unusable('an event is not JSON');
  return new ChatFailure(faultOf(judgeException(error)));
}

type Judged = ReturnType<typeof judgeRefusal>;

function faultOf(judged: Judged): ChatFailure['fault'] {
  return judged;
}

function cappedAt(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(part, controller) {
      bytes += part.byteLength;
      if (bytes > maxBytes) controller.error(unusable('more bytes than the asked tokens can take'));
      else controller.enqueue(part);
    },
  });
}
