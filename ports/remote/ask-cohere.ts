import { CohereClientV2 } from 'cohere-ai';
import type { Clock } from '../../runtime/clock.ts';
import { sendRequest } from './send-request.ts';

/** Who asks Cohere, and where it is. */
export interface CohereAccess {
  readonly apiKey: string;
  /** Of a private deployment or a proxy; absent: Cohere's own. */
  readonly url?: string;
}

/**
 * Runs one request of Cohere's client, whose outcome `sendRequest` judges.
 * @param request must hand the signal to the client.
 * @throws nothing but the signal's reason.
 */
export function askCohere<T>(
  { apiKey, url }: CohereAccess,
  request: (client: CohereClientV2, signal: AbortSignal) => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): ReturnType<typeof sendRequest<T>> {
  return sendRequest(
    async (fetch, abort) => {
      // A client holds nothing but its options; one per request carries the fetch that judges this request.
      const client = new CohereClientV2({
        token: apiKey,
        fetch,
        maxRetries: 0, // it would wait by its own timers, and twice as long as it is told
        ...(url === undefined ? {} : { environment: url }),
      });
      return request(client, abort);
    },
    clock,
    signal,
  );
}
