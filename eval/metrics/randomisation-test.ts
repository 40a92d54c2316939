import type { Random } from '../../runtime/clock.ts';

/** The smallest p is a ten-thousandth: small enough to stand beside a hundred comparisons after Holm. */
const FLIPS = 9_999;
/** Sums of the same numbers in another order differ by less. */
const ROUNDING = 1e-9;

/**
 * How often chance alone would give a mean difference as far from 0, were both runs equally good: signs of the paired differences are
 * flipped at random (Fisher's two-sided randomisation test; Smucker, Allan and Carterette, CIKM 2007, found it the one to use for paired
 * figures of retrieval). Asks nothing of their distribution.
 * @param differences one a query. @returns p from 1 / 10,000 to 1; 1 where nothing differs.
 */
export function randomisationTest(differences: readonly number[], random: Random): number {
  // Flipping the sign of 0 changes nothing, and most queries of two runs are equal.
  const changed = differences.filter((each) => each !== 0);
  if (changed.length === 0) return 1;
  const observed = Math.abs(changed.reduce((sum, each) => sum + each, 0)) - ROUNDING;
  let asFar = 0;
  for (let flip = 0; flip < FLIPS; flip++) {
    let sum = 0;
    for (const each of changed) sum += random() < 0.5 ? each : -each;
    if (Math.abs(sum) >= observed) asFar++;
  }
  return (asFar + 1) / (FLIPS + 1);
}

/**
 * p values for a whole family of comparisons: the chance that any of them is found by chance stays below the level that each is held
 * against (Holm 1979, step-down). In the order given; never above 1.
 */
export function holmAdjusted(ps: readonly number[]): readonly number[] {
  const order = ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = ps.map(() => 1);
  let floor = 0;
  for (const [rank, { p, index }] of order.entries()) {
    floor = Math.max(floor, Math.min(1, p * (ps.length - rank)));
    adjusted[index] = floor;
  }
  return adjusted;
}
