import type { Random } from '../../runtime/clock.ts';
import { mean, meanInterval, quantile, type Interval } from './bootstrap.ts';

/** What a yes-or-no judge said, beside what is true. */
export interface Decision {
  readonly expected: boolean;
  readonly said: boolean;
}

/** How well a judge decides. Shares are from 0 to 1, with 95 % intervals; NaN where there is nothing to decide. */
export interface DecisionResult {
  readonly positives: number;
  readonly negatives: number;
  /** Share of yes where yes is right (sensitivity). */
  readonly saidYesOfYes: Interval;
  /** Share of no where no is right (specificity). */
  readonly saidNoOfNo: Interval;
  /** Mean of both: 0.5 for a judge that does not look, however many of each kind there are. */
  readonly balancedAccuracy: Interval;
  /** 1 for every decision that is right and 0 for every other, in the order given: what a paired comparison needs. */
  readonly right: readonly number[];
}

const RESAMPLES = 2_000;

/** Judges a judge. Positives and negatives are resampled apart, since their numbers are a choice of the set. */
export function decisionMetrics(decisions: readonly Decision[], random: Random): DecisionResult {
  const right = (expected: boolean): number[] =>
    decisions.filter((each) => each.expected === expected).map(({ said }) => (said === expected ? 1 : 0));
  const [yes, no] = [right(true), right(false)];
  const balanced = Float64Array.from(
    { length: RESAMPLES },
    () => (resampledMean(yes, random) + resampledMean(no, random)) / 2,
  ).sort();
  return {
    positives: yes.length,
    negatives: no.length,
    saidYesOfYes: meanInterval(yes, random),
    saidNoOfNo: meanInterval(no, random),
    balancedAccuracy: {
      mean: (mean(yes) + mean(no)) / 2,
      low: quantile(balanced, 0.025),
      high: quantile(balanced, 0.975),
    },
    right: decisions.map(({ expected, said }) => (said === expected ? 1 : 0)),
  };
}

function resampledMean(values: readonly number[], random: Random): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)] ?? 0;
  return sum / values.length;
}
