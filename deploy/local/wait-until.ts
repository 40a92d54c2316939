import { systemClock } from '../../runtime/clock.ts';

const PAUSE_MS = 100;

/**
 * Asks `reached` again and again, ten times a second, until it says yes.
 * @throws Error with `what` in its text after `timeoutMs`; the signal's reason when it aborts first; whatever `reached` throws.
 */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  reached: () => Promise<boolean> | boolean,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = systemClock.monotonicMs() + timeoutMs;
  while (!(await reached())) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`${what} did not happen within ${timeoutMs / 1000} s.`);
    await systemClock.sleep(PAUSE_MS, signal);
  }
}
