import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { aResult, aRunOf } from '../../test/support/eval-result.ts';
import { compareResults } from './compare-results.ts';

const noise = (seed: number, count = 60): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

describe('two runs', () => {
  it('a planted fall of one query in four by half is worse, the other way round better', () => {
    const before = noise(3);
    const after = before.map((value, i) => (i % 4 === 0 ? value / 2 : value));
    const worse = compareResults(aRunOf(before), aRunOf(after));
    expect(worse.verdict).toBe('worse');
    expect(worse.metrics[0]).toMatchObject({ queries: 60, changed: 15, verdict: 'worse' });
    expect(worse.metrics[0]!.difference.high).toBeLessThan(0);
    expect(compareResults(aRunOf(after), aRunOf(before)).verdict).toBe('better');
  });

  it('a run beside itself has no evidence, whatever the figures', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }), (values) => {
        const { verdict, metrics } = compareResults(aRunOf(values), aRunOf(values));
        expect(verdict).toBe('no evidence');
        expect(metrics[0]).toMatchObject({ changed: 0, p: 1, difference: { mean: 0, low: 0, high: 0 } });
      }),
      { numRuns: 10, seed: 1 },
    );
  });

  it('figures that go up and down alike are no evidence', () => {
    const before = noise(3);
    const after = before.map((value, i) => value + (i % 2 === 0 ? 0.1 : -0.1));
    expect(compareResults(aRunOf(before), aRunOf(after)).verdict).toBe('no evidence');
  });

  it('queries are paired by id, not by place, and those of one run only are counted', () => {
    const a = aResult();
    const b = aResult({
      sets: [
        { set: 'adi', queries: ['q5', 'q4', 'q1'], metrics: [{ metric: 'hybrid nDCG@10', values: [0, 0.25, 1] }] },
        { set: 'xquad/en', queries: ['x'], metrics: [] },
      ],
    });
    const { metrics, unpaired } = compareResults(a, b);
    expect(metrics[0]).toMatchObject({ queries: 2, changed: 0, a: 0.625, b: 0.625 });
    expect(unpaired).toEqual(['adi: 2 queries are in A only', 'adi: 1 queries are in B only', 'xquad/en is in B only']);
  });

  it('what is evidence alone is none among twenty equal ones', () => {
    const six = [1, 1, 1, 1, 1, 1];
    const none = [0, 0, 0, 0, 0, 0];
    const queries = six.map((_, i) => `q${i}`);
    const run = (values: readonly number[], metrics: number) =>
      aResult({
        sets: [
          {
            set: 's',
            queries,
            metrics: Array.from({ length: metrics }, (_, i) => ({ metric: `m${i}`, values: i === 0 ? values : six })),
          },
        ],
      });
    expect(compareResults(run(six, 1), run(none, 1)).verdict).toBe('worse');
    expect(compareResults(run(six, 20), run(none, 20)).verdict).toBe('no evidence');
  });

  it('of different suites, or without a query in common, are refused', () => {
    expect(() => compareResults(aResult(), aResult({ suite: 'golden' }))).toThrow(
      /suite retrieval, the other of golden/,
    );
    expect(() => compareResults(aResult(), aResult({ sets: [] }))).toThrow(/no query of a set in common/);
  });
});
