import type { Random } from '../../runtime/clock.ts';

/** A mean over queries with the bounds of its 95 % interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** How far one run is from another over the same queries. */
export interface PairedDifference extends Interval {
  /** Share of resamples on the other side of 0, doubled: how often chance alone would give as much. */
  readonly p: number;
}

/** The bounds of an interval move by less than a thousandth from one seed to the next. */
const RESAMPLES = 5_000;
const LOWER = 0.025;
const UPPER = 0.975;

/** The mean of values with a 95 % interval by percentile bootstrap; all three are NaN for no values. */
export function meanInterval(values: readonly number[], random: Random): Interval {
  const means = resampledMeans(values, random);
  return { mean: mean(values), low: quantile(means, LOWER), high: quantile(means, UPPER) };
}

/**
 * The mean of `b - a`, query by query, with its 95 % interval: queries differ far more than two runs do on one of them, so only the
 * differences tell the runs apart.
 * @throws RangeError unless both have a value for every query, in the same order.
 */
export function pairedDifference(a: readonly number[], b: readonly number[], random: Random): PairedDifference {
  if (a.length !== b.length) throw new RangeError(`${a.length} and ${b.length} values are not of the same queries`);
  const differences = b.map((value, index) => value - (a[index] ?? 0));
  const means = resampledMeans(differences, random);
  const atMostZero = means.filter((each) => each <= 0).length / means.length;
  const atLeastZero = means.filter((each) => each >= 0).length / means.length;
  return {
    mean: mean(differences),
    low: quantile(means, LOWER),
    high: quantile(means, UPPER),
    p: Math.min(1, 2 * Math.min(atMostZero, atLeastZero)),
  };
}

/** The value below which a share of the values lies, interpolated. @param sorted ascending. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** NaN for no values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Means of as many values, drawn with replacement; ascending. */
function resampledMeans(values: readonly number[], random: Random): Float64Array {
  const means = new Float64Array(RESAMPLES);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)] ?? 0;
    means[resample] = sum / values.length;
  }
  return means.sort();
}
