import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** Where signals come from: `process`, or a stand-in. */
export interface SignalSource {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
}

/** A stop that was asked for from outside. */
export interface StopRequest extends Disposable {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** Listens for SIGINT and SIGTERM: the first aborts the signal, the second calls `stopAtOnce`. Dispose to listen no longer. */
export function listenForStop(signals: SignalSource, stopAtOnce: () => void): StopRequest {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) stopAtOnce();
    else controller.abort(new Error('stopped by a signal'));
  };
  signals.on('SIGINT', onSignal);
  signals.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      signals.off('SIGINT', onSignal);
      signals.off('SIGTERM', onSignal);
    },
  };
}

/**
 * Disposes of what runs, waiting at most `timeoutMs`. What is cut off then was not committed and is repeated at the next start
 * (I6, I12), so running out of time loses nothing.
 */
export async function drain(
  running: AsyncDisposable,
  timeoutMs: number,
  clock: Clock,
  logger: Logger,
): Promise<'drained' | 'timed-out'> {
  const timer = new AbortController();
  const timedOut = clock.sleep(timeoutMs, timer.signal).then(
    () => 'timed-out' as const,
    () => 'drained' as const, // the timer was stopped, because the drain has ended
  );
  const drained = (async () => {
    try {
      await running[Symbol.asyncDispose]();
      return 'drained' as const;
    } finally {
      timer.abort();
    }
  })();
  const outcome = await Promise.race([drained, timedOut]);
  if (outcome === 'drained') return drained;
  // Its end is of no interest any more, but a late rejection must not take the process down.
  drained.catch(() => undefined);
  logger.warn('Stopped before everything was drained; what was in work is repeated at the next start.', { timeoutMs });
  return outcome;
}
