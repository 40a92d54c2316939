import { setImmediate as immediate } from 'node:timers/promises';

/** Time as an argument, so that one seed replays any run. The only place that reads the real clock. */
export interface Clock {
  /** ms since the epoch */
  now(): number;
  /** ms since an arbitrary start; never goes back */
  monotonicMs(): number;
  /** Resolves after `ms`. @throws the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A source of randomness as an argument: uniform in [0, 1). */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  // Not the one of node:timers/promises, which makes an error and its stack for every sleep that is cut short: 3 % of a busy process.
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    }),
};

export const systemRandom: Random = () => Math.random();

/** Resolves when the event loop has looked at what else there is to do. */
export async function eventLoopTurn(): Promise<void> {
  await immediate();
}
