import type { Clock } from '../../../runtime/clock.ts';
import { judgeException } from '../../remote/judge-response.ts';
import { judgingFetch } from '../../remote/judging-fetch.ts';
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
 * `judgingFetch` for a generator, which ends a reply that goes on for ever as well.
 * @throws ChatFailure, the signal's reason.
 */
export function chatFetch(clock: Clock, maxBytes: number, signal: AbortSignal): typeof globalThis.fetch {
  const judged = judgingFetch(clock, signal, (failure) => new ChatFailure(failure));
  return async (input, init) => {
    const { body, status, headers } = await judged(input, init);
    return new Response(body?.pipeThrough(cappedAt(maxBytes)) ?? null, { status, headers });
  };
}

/** What an exception while a body is read means. */
export function bodyFailure(error: unknown): ChatFailure {
  if (error instanceof ChatFailure) return error;
  if (error instanceof SyntaxError) return unusable('an event is not JSON');
  return new ChatFailure(judgeException(error));
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
