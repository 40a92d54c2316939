import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How long the event loop was blocked, ms. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How often the histogram looks, ms; it counts this with every delay. */
const LOOK_EVERY_MS = 2;

/** Watches the event loop of this process. @returns what tells the delays so far; they are forgotten each time. */
export function watchEventLoop(): () => LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: LOOK_EVERY_MS });
  histogram.enable();
  return () => {
    const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LOOK_EVERY_MS);
    const seen = { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
    histogram.reset();
    return seen;
  };
}
