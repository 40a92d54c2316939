import { expect, test } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { decisionMetrics, type Decision } from './decision-metrics.ts';

const times = (count: number, expected: boolean, said: boolean): Decision[] =>
  Array.from({ length: count }, () => ({ expected, said }));

test('both kinds weigh the same, however many there are of each', () => {
  const decisions = [...times(90, true, true), ...times(10, true, false), ...times(1, false, false)];
  const { positives, negatives, saidYesOfYes, saidNoOfNo, balancedAccuracy } = decisionMetrics(
    decisions,
    seededRandom(1),
  );
  expect([positives, negatives]).toEqual([100, 1]);
  expect([saidYesOfYes.mean, saidNoOfNo.mean, balancedAccuracy.mean]).toEqual([0.9, 1, 0.95]);
  expect(balancedAccuracy.low).toBeGreaterThan(0.91);
  expect(balancedAccuracy.high).toBeLessThan(0.98);
});

test('a judge that always says yes is worth a coin', () => {
  const { balancedAccuracy } = decisionMetrics([...times(7, true, true), ...times(3, false, true)], seededRandom(1));
  expect(balancedAccuracy).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
});

test('without negatives there is nothing to say', () => {
  expect(decisionMetrics(times(3, true, true), seededRandom(1)).balancedAccuracy.mean).toBeNaN();
});
