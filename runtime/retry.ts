import type { Clock, Random } from './clock.ts';
import { classify, type FreshetError } from './errors.ts';
import type { Logger } from './logger.ts';

export interface RetryOptions {
  /** What is tried, for the log line: a verb with its object. */
  readonly operation: string;
  readonly attempts: number;
  /** First delay, ms; doubles up to `maxDelayMs`, with full jitter. */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onRetry?: (error: FreshetError) => void;
}

/** Delay before attempt `attempt + 1`: exponential with full jitter, so that many clients do not come back together. */
export function retryDelayMs(
  attempt: number,
  options: Pick<RetryOptions, 'minDelayMs' | 'maxDelayMs' | 'random'>,
): number {
  const ceiling = Math.min(options.maxDelayMs, options.minDelayMs * 2 ** (attempt - 1));
  return ceiling / 2 + (options.random() * ceiling) / 2;
}

/**
 * Repeats `attempt` while it fails with fate `retry`, at most `attempts` times. Logs rise from debug to warn as the delay grows.
 * @throws the last error, or the signal's reason when it aborts.
 */
export async function retry<T>(
  attempt: (n: number) => Promise<T>,
  options: RetryOptions,
  signal: AbortSignal,
): Promise<T> {
  for (let n = 1; ; n++) {
    signal.throwIfAborted();
    try {
      return await attempt(n);
    } catch (cause) {
      signal.throwIfAborted();
      const error = classify(cause);
      if (error.fate !== 'retry' || n >= options.attempts) throw error;
      const delayMs = Math.max(retryDelayMs(n, options), (error.retryAfterSeconds ?? 0) * 1000);
      options.onRetry?.(error);
      options.logger[delayMs >= 1_000 ? 'warn' : 'debug'](`Will ${options.operation} again after a delay.`, {
        attempt: n,
        delayMs: Math.round(delayMs),
        code: error.code,
        reason: error.message,
      });
      await options.clock.sleep(delayMs, signal);
    }
  }
}
