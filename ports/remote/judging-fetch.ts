import type { Clock } from '../../runtime/clock.ts';
import { judgeException, judgeRefusal } from './judge-response.ts';
import type { RequestFailure } from './request-failure.ts';

/**
 * A `fetch` that judges statuses, `Retry-After` and system errors before a vendor's client sees them: clients put texts into their errors, drop
 * headers, or repeat requests on their own. What it returns has a status of success.
 * @param refuse makes the error that is thrown for a failure. @throws that error, the signal's reason.
 */
export function judgingFetch(
  clock: Clock,
  signal: AbortSignal,
  refuse: (failure: RequestFailure) => Error,
): typeof globalThis.fetch {
  return async (input, init) => {
    let response: Response;
    try {
      response = await fetch(input, { ...init, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw refuse(judgeException(error));
    }
    if (response.ok) return response;
    // The connection can be used again only when the body is gone.
    void response.body?.cancel().catch(() => undefined);
    throw refuse(judgeRefusal(response.status, response.headers, clock.now()));
  };
}
