import type { Clock } from '../../runtime/clock.ts';
import { judgeException } from './judge-response.ts';
import { judgingFetch } from './judging-fetch.ts';
import type { RequestFailure } from './request-failure.ts';

/** Thrown through a vendor's client so that it neither reads the error's body nor tries again. */
class Refused extends Error {}

/**
 * Runs one request of a vendor's client over a `fetch` that judges what comes, and tells what became of it.
 * @param request must use the given `fetch` and signal; its result is what the client made of a successful reply.
 * @throws nothing but the signal's reason.
 */
export async function sendRequest<T>(
  request: (fetch: typeof globalThis.fetch, signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly kind: 'reply'; readonly reply: T; readonly answeredAtMs: number } | RequestFailure> {
  let failure: RequestFailure | undefined;
  let answeredAtMs: number | undefined;
  const judged = judgingFetch(clock, signal, (found) => {
    failure = found;
    return new Refused();
  });
  const timed: typeof globalThis.fetch = async (input, init) => {
    const response = await judged(input, init);
    answeredAtMs = clock.monotonicMs();
    return response;
  };
  try {
    const reply = await request(timed, signal);
    return { kind: 'reply', reply, answeredAtMs: answeredAtMs ?? clock.monotonicMs() };
  } catch (error) {
    signal.throwIfAborted();
    if (failure) return failure;
    // The status was 200: a body that broke off is the connection's fault, one that the client cannot read is the server's.
    if (answeredAtMs !== undefined && !(error instanceof TypeError)) {
      return {
        kind: 'unusable',
        reason: error instanceof SyntaxError ? 'the reply is not JSON' : 'the reply is of another form',
      };
    }
    return judgeException(error);
  }
}
