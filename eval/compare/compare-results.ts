import { seededRandom } from '../../runtime/seeded-random.ts';
import { mean, pairedDifference } from '../metrics/bootstrap.ts';
import { holmAdjusted, randomisationTest } from '../metrics/randomisation-test.ts';
import type { EvalResult, Measured, MeasuredSet } from '../results/result.ts';

export type Verdict = 'better' | 'worse' | 'no evidence';

/** How one metric of one set went from run `a` to run `b`, over the queries that both have. */
export interface MetricComparison {
  readonly set: string;
  readonly metric: string;
  /** Pairs of figures. */
  readonly queries: number;
  /** Of them, those whose figures differ. */
  readonly changed: number;
  readonly a: number;
  readonly b: number;
  /** Mean of `b - a` with its 95 % interval by paired bootstrap. */
  readonly difference: { readonly mean: number; readonly low: number; readonly high: number };
  /** Of the randomisation test, adjusted for all the metrics that are compared at once. */
  readonly p: number;
  /** By `p` alone: the interval is not adjusted, and may leave out 0 where there is no evidence. */
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly a: Measured;
  readonly b: Measured;
  readonly metrics: readonly MetricComparison[];
  /** What only one of the runs has, as `set` or `set, metric`. */
  readonly unpaired: readonly string[];
  readonly verdict: Verdict;
}

/** p below which a difference counts as evidence, after Holm: of twenty comparisons of equal runs one raises an alarm. */
export const LEVEL = 0.05;
/** The same verdict at every run. */
const SEED = 1;

/**
 * Compares two runs of a suite, metric by metric, over the queries that both measured. The whole is worse when any metric is, else
 * better when any is.
 * @throws RangeError when they are of different suites or have no query in common: nothing could be said.
 */
export function compareResults(a: EvalResult, b: EvalResult): Comparison {
  if (a.suite !== b.suite) throw new RangeError(`one run is of the suite ${a.suite}, the other of ${b.suite}`);
  const paired = b.sets.flatMap((after) => {
    const before = a.sets.find(({ set }) => set === after.set);
    return before ? pairSets(before, after) : [];
  });
  if (paired.length === 0) throw new RangeError('the runs have no query of a set in common');
  const adjusted = holmAdjusted(paired.map(({ p }) => p));
  const metrics = paired.map((each, index) => {
    const p = adjusted[index] ?? 1;
    return { ...each, p, verdict: verdictOf(each.difference.mean, p) };
  });
  const has = (verdict: Verdict) => metrics.some((each) => each.verdict === verdict);
  return {
    a: measuredOf(a),
    b: measuredOf(b),
    metrics,
    unpaired: unpairedOf(a, b),
    verdict: has('worse') ? 'worse' : has('better') ? 'better' : 'no evidence',
  };
}

function verdictOf(difference: number, p: number): Verdict {
  if (p >= LEVEL) return 'no evidence';
  return difference < 0 ? 'worse' : 'better';
}

/** Every metric that both have; p not adjusted yet. */
function pairSets(before: MeasuredSet, after: MeasuredSet): readonly Omit<MetricComparison, 'verdict'>[] {
  const places = new Map(before.queries.map((id, index) => [id, index]));
  const pairs = after.queries.flatMap((id, index) => {
    const place = places.get(id);
    return place === undefined ? [] : [[place, index] as const];
  });
  if (pairs.length === 0) return [];
  return after.metrics.flatMap(({ metric, values }) => {
    const earlier = before.metrics.find((each) => each.metric === metric)?.values;
    if (!earlier) return [];
    const a = pairs.map(([place]) => earlier[place] ?? 0);
    const b = pairs.map(([, index]) => values[index] ?? 0);
    const differences = b.map((value, index) => value - (a[index] ?? 0));
    const { mean: shift, low, high } = pairedDifference(a, b, seededRandom(SEED));
    return [
      {
        set: after.set,
        metric,
        queries: pairs.length,
        changed: differences.filter((each) => each !== 0).length,
        a: mean(a),
        b: mean(b),
        difference: { mean: shift, low, high },
        p: randomisationTest(differences, seededRandom(SEED)),
      },
    ];
  });
}

/** Sets, metrics and numbers of queries that cannot be compared, in words. */
function unpairedOf(a: EvalResult, b: EvalResult): readonly string[] {
  const names = new Set([...a.sets, ...b.sets].map(({ set }) => set));
  return [...names].flatMap((name) => {
    const [one, other] = [a, b].map(({ sets }) => sets.find(({ set }) => set === name));
    if (!one || !other) return [`${name} is in ${one ? 'A' : 'B'} only`];
    const alone = (of: MeasuredSet, without: MeasuredSet, run: string) => {
      const known = new Set(without.queries);
      const queries = of.queries.filter((id) => !known.has(id)).length;
      const metrics = of.metrics.filter(({ metric }) => !without.metrics.some((each) => each.metric === metric));
      return [
        ...(queries > 0 ? [`${name}: ${queries} queries are in ${run} only`] : []),
        ...metrics.map(({ metric }) => `${name}, ${metric} is in ${run} only`),
      ];
    };
    return [...alone(one, other, 'A'), ...alone(other, one, 'B')];
  });
}

function measuredOf({ suite, measuredAt, commit, configDigest, model, store }: Measured): Measured {
  return { suite, measuredAt, commit, configDigest, model, store };
}
