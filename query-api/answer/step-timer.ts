import type { Clock } from '../../runtime/clock.ts';
import type { Metrics } from '../../runtime/metrics.ts';

/** ms by step, and `total`. */
export type Timings = Record<string, number>;

/** Measures the steps of one query, for its reply and for `freshet_query_step_duration_seconds`. */
export function stepTimer(clock: Clock, metrics: Metrics) {
  const startedAt = clock.monotonicMs();
  const timings: Timings = {};
  const record = (step: string, since: number): void => {
    const ms = clock.monotonicMs() - since;
    timings[step] = Math.round(ms * 1_000) / 1_000;
    metrics.queryStepDuration.observe({ step }, ms / 1_000);
  };
  return {
    /** Runs one step; also a failing one is measured. */
    async time<T>(step: string, run: () => T | Promise<T>): Promise<T> {
      const since = clock.monotonicMs();
      try {
        return await run();
      } finally {
        record(step, since);
      }
    },
    /** The timings so far with `total`. */
    finish(): Timings {
      record('total', startedAt);
      return timings;
    },
  };
}
