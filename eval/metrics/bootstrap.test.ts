import { expect, it } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { mean, meanInterval, pairedDifference, quantile } from './bootstrap.ts';

/** Values of a known spread: 0, 1, 0, 1, ... */
const coins = Array.from({ length: 400 }, (_, i) => i % 2);

it('the interval of a mean is that of the normal distribution where there are many values', () => {
  const { mean: middle, low, high } = meanInterval(coins, seededRandom(1));
  const expected = 1.96 * (0.5 / Math.sqrt(coins.length));
  expect(middle).toBe(0.5);
  expect(low).toBeCloseTo(0.5 - expected, 2);
  expect(high).toBeCloseTo(0.5 + expected, 2);
});

it('the same seed gives the same interval', () => {
  expect(meanInterval(coins, seededRandom(7))).toEqual(meanInterval(coins, seededRandom(7)));
});

it('one value has an interval of no width, none has no mean', () => {
  expect(meanInterval([0.3], seededRandom(1))).toEqual({ mean: 0.3, low: 0.3, high: 0.3 });
  expect(meanInterval([], seededRandom(1)).mean).toBeNaN();
});

it('a small gain on every query is told from chance, although queries differ far more', () => {
  const better = coins.map((value, i) => value + (i % 3 === 0 ? 0.02 : 0.01));
  const difference = pairedDifference(coins, better, seededRandom(1));
  expect(difference.mean).toBeCloseTo(0.0133, 3);
  expect(difference.low).toBeGreaterThan(0.012);
  expect(difference.p).toBe(0);
});

it('equal runs do not differ, and gains that losses make up for are chance', () => {
  expect(pairedDifference(coins, coins, seededRandom(1))).toEqual({ mean: 0, low: 0, high: 0, p: 1 });
  const mixed = coins.map((value, i) => value + (i % 4 < 2 ? 0.1 : -0.1));
  const difference = pairedDifference(coins, mixed, seededRandom(1));
  expect(difference.low).toBeLessThan(0);
  expect(difference.high).toBeGreaterThan(0);
  expect(difference.p).toBeGreaterThan(0.5);
});

it('runs over other queries cannot be compared', () => {
  expect(() => pairedDifference([1], [1, 2], seededRandom(1))).toThrow(RangeError);
});

it('a quantile lies between its neighbours', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([5], 0.975)).toBe(5);
  expect(mean([1, 2, 6])).toBe(3);
});
