import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { Clock } from '../../runtime/clock.ts';

/** A query that has no vector by then is answered from the lexical leg alone, ms. */
export const EMBED_DEADLINE_MS = 300;

/**
 * The vector of a query, or the error that kept it from being made in time. Does not throw for a slow or failing embedder: the caller
 * decides whether the lexical leg is enough.
 * @throws the signal's reason when the caller aborts.
 */
export async function embedQuery(
  query: string,
  embedder: Embedder,
  clock: Clock,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<{ readonly vector: Float32Array } | { readonly failure: unknown }> {
  const attempt = new AbortController();
  const either = AbortSignal.any([signal, attempt.signal]);
  const timeout = clock.sleep(deadlineMs, either).then(
    () => ({ failure: new DOMException('The query was not embedded in time.', 'TimeoutError') }),
    (reason: unknown) => ({ failure: reason }),
  );
  const embedding = embedder.embed([query], 'query', either).then(
    ([vector]) => (vector ? { vector } : { failure: new RangeError('The embedder gave no vector.') }),
    (failure: unknown) => ({ failure }),
  );
  const outcome = await Promise.race([embedding, timeout]);
  attempt.abort();
  signal.throwIfAborted();
  return outcome;
}
