import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';

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
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal && { signal });
  },
};

export const systemRandom: Random = () => Math.random();

/** Resolves when the event loop has looked at what else there is to do. */
export async function eventLoopTurn(): Promise<void> {
  await immediate();
}
