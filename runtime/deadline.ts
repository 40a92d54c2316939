import type { Clock } from './clock.ts';

/** A time limit of one piece of work. */
export interface Deadline {
  /** Aborts when the time is over, or with the caller's signal. */
  readonly signal: AbortSignal;
  /** Whether it was the time. */
  readonly expired: () => boolean;
  /** Must be called when the work has ended, or the timer goes on. */
  readonly end: () => void;
}

/**
 * Limits work by the injected clock. Not by `AbortSignal.timeout`: one that is only part of an `AbortSignal.any` may be collected as garbage
 * before it fires (nodejs/node#57736), and what waits behind it then waits for ever.
 */
export function deadline(clock: Clock, timeoutMs: number, signal: AbortSignal): Deadline {
  const timer = new AbortController();
  const late = new AbortController();
  clock.sleep(timeoutMs, timer.signal).then(
    () => late.abort(new Error('timeout')),
    () => undefined,
  );
  return {
    signal: AbortSignal.any([signal, late.signal]),
    expired: () => late.signal.aborted,
    end: () => timer.abort(),
  };
}
