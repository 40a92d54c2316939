import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { agreement, kendall, spearman } from './rank-correlation.ts';

const of = (...pairs: readonly (readonly [judge: number, human: number])[]) =>
  pairs.map(([judge, human]) => ({ judge, human }));

describe('rank correlations', () => {
  it('are 1 for the same order and -1 for the reverse, whatever the distances', () => {
    const same = of([1, 10], [2, 11], [30, 900]);
    expect([spearman(same), kendall(same)]).toEqual([1, 1]);
    const reverse = of([1, 900], [2, 11], [30, 10]);
    expect([spearman(reverse), kendall(reverse)]).toEqual([-1, -1]);
  });

  it('share ranks among ties', () => {
    // By hand: ranks 1, 2.5, 2.5, 4 and 1, 2, 3.5, 3.5.
    const tied = of([1, 1], [2, 2], [2, 3], [3, 3]);
    expect(spearman(tied)).toBeCloseTo(3.75 / 4.5, 10);
    expect(kendall(tied)).toBeCloseTo(4 / 5, 10);
  });

  it('are not defined for a judge that says the same of everything', () => {
    expect(spearman(of([1, 1], [1, 2]))).toBeNaN();
    expect(kendall(of([1, 1], [1, 2]))).toBeNaN();
  });

  it('do not change when a judge is stretched', () => {
    const pair = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }));
    fc.assert(
      fc.property(fc.array(pair, { minLength: 3, maxLength: 12 }), (pairs) => {
        const stretched = of(...pairs.map(([judge, human]) => [judge ** 3 + 7, human] as const));
        expect(spearman(stretched)).toEqual(spearman(of(...pairs)));
        expect(kendall(stretched)).toEqual(kendall(of(...pairs)));
      }),
      { seed: 1 },
    );
  });
});

it('pairs of one task only are compared, a tie counts half, and humans must prefer one', () => {
  const rated = [
    { group: 'a', judge: 1, human: 1 },
    { group: 'a', judge: 2, human: 3 },
    { group: 'a', judge: 2, human: 3 },
    { group: 'b', judge: 9, human: 1 },
    { group: 'b', judge: 9, human: 2 },
  ];
  const { texts, pairwise } = agreement(rated, seededRandom(1));
  expect(texts).toBe(5);
  expect(pairwise.value).toBeCloseTo(2.5 / 3, 10);
  expect(pairwise.low).toBe(0.5);
  expect(pairwise.high).toBe(1);
});
