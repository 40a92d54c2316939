import type { Clock } from '../../../runtime/clock.ts';
import { ChatFailure, type ChatDelta, type ChatEndpoint, type ChatRequest } from './chat-endpoint.ts';

/** How long a server may be silent. */
export interface Patience {
  /** Before its first sign of life, ms. */
  readonly firstMs: number;
  /** Between any two, ms. */
  readonly stallMs: number;
}

/**
 * Streams from an endpoint, and gives up on one that is silent for too long. After the model has said that it ended, a server that is silent, cut
 * or broken loses at most the numbers of its usage. Leaving the iteration closes the connection.
 * @throws ChatFailure, also when the stream ends before the model has; the signal's reason.
 */
export async function* watchedStream(
  endpoint: ChatEndpoint,
  request: ChatRequest,
  { firstMs, stallMs }: Patience,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<ChatDelta> {
  const attempt = new AbortController();
  const either = AbortSignal.any([signal, attempt.signal]);
  const deltas = endpoint.stream(request, either)[Symbol.asyncIterator]();
  let finished = false;
  let begun = false;
  try {
    for (;;) {
      const patienceMs = begun ? stallMs : firstMs;
      const next = await nextWithin(deltas, patienceMs, clock);
      if (next === 'late') {
        const reason = `${begun ? 'silent' : 'no sign of life'} for ${Math.round(patienceMs)} ms`;
        throw new ChatFailure({ kind: 'failed', reason, retryAfterMs: undefined });
      }
      begun = true;
      if (next.done === true) break;
      if (next.value.kind === 'finish') finished = true;
      yield next.value;
    }
    if (!finished) throw new ChatFailure({ kind: 'failed', reason: 'the stream was cut', retryAfterMs: undefined });
  } catch (error) {
    signal.throwIfAborted();
    if (!finished || !(error instanceof ChatFailure)) throw error;
  } finally {
    attempt.abort();
  }
}

/** The next delta, or `late`. What comes after that is nobody's. */
async function nextWithin(
  deltas: AsyncIterator<ChatDelta>,
  ms: number,
  clock: Clock,
): Promise<IteratorResult<ChatDelta> | 'late'> {
  const timer = new AbortController();
  const next = deltas.next();
  const late = clock.sleep(ms, timer.signal).then(
    () => 'late' as const,
    () => next, // the delta came first
  );
  late.catch(() => undefined);
  try {
    return await Promise.race([next, late]);
  } finally {
    timer.abort();
  }
}
