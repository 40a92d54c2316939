import type { Clock } from '../../runtime/clock.ts';

/**
 * The outcome of `work`, unless it takes longer than `timeoutMs`; the work itself goes on then.
 * @throws what `late` makes, or the signal's reason when it aborts first.
 */
export async function within<T>(
  work: Promise<T>,
  { clock, timeoutMs, late }: { readonly clock: Clock; readonly timeoutMs: number; readonly late: () => Error },
  signal?: AbortSignal,
): Promise<T> {
  const timer = new AbortController();
  const over = clock.sleep(timeoutMs, signal ? AbortSignal.any([timer.signal, signal]) : timer.signal).then(
    () => {
      throw late();
    },
    (): never => {
      throw signal?.reason;
    },
  );
  try {
    return await Promise.race([work, over]);
  } finally {
    timer.abort();
  }
}
