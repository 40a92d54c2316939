import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ndcgAt, recallAt, reciprocalRankAt } from './ranking-metrics.ts';

const judgements = new Map([
  ['a', 2],
  ['b', 1],
  ['c', 1],
  ['refuted', 0],
]);

describe('nDCG', () => {
  it('is the discounted gain over that of the best order', () => {
    // Gains at ranks 1 to 4: 0, 2, 0, 1. Best order: 2, 1, 1.
    const expected = (2 / Math.log2(3) + 1 / Math.log2(5)) / (2 + 1 / Math.log2(3) + 1 / Math.log2(4));
    expect(ndcgAt(10, ['x', 'a', 'refuted', 'b'], judgements)).toBeCloseTo(expected, 12);
    expect(expected).toBeCloseTo(0.5406, 4);
  });

  it('looks at the first k documents only, also of the best order', () => {
    expect(ndcgAt(1, ['b', 'a'], judgements)).toBe(0.5);
    expect(ndcgAt(1, ['a'], judgements)).toBe(1);
    expect(ndcgAt(2, ['x', 'y', 'a'], judgements)).toBe(0);
  });

  it('is 1 for the best order and for nothing better', () => {
    expect(ndcgAt(10, ['a', 'c', 'b', 'x'], judgements)).toBe(1);
  });

  it('lies between 0 and 1 and does not fall when a relevant document moves up', () => {
    const grades = fc
      .array(fc.nat(3), { minLength: 2, maxLength: 12 })
      .filter((each) => each.some((grade) => grade > 0));
    fc.assert(
      fc.property(grades, fc.nat(), (all, at) => {
        const ids = all.map((_, i) => `d${i}`);
        const judged = new Map(all.map((grade, i) => [`d${i}`, grade]));
        const score = ndcgAt(10, ids, judged) ?? -1;
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1 + 1e-12);
        const i = at % (all.length - 1);
        if ((all[i + 1] ?? 0) < (all[i] ?? 0)) return;
        const swapped = ids.with(i, ids[i + 1]!).with(i + 1, ids[i]!);
        expect(ndcgAt(10, swapped, judged)).toBeGreaterThanOrEqual(score - 1e-12);
      }),
    );
  });
});

describe('recall', () => {
  it('is the share of the relevant documents that are found', () => {
    expect(recallAt(10, ['b', 'x', 'refuted', 'a'], judgements)).toBeCloseTo(2 / 3, 12);
    expect(recallAt(1, ['b', 'x', 'a'], judgements)).toBeCloseTo(1 / 3, 12);
    expect(recallAt(10, [], judgements)).toBe(0);
  });
});

describe('reciprocal rank', () => {
  it('is that of the first relevant document among the first k', () => {
    expect(reciprocalRankAt(10, ['x', 'refuted', 'c', 'a'], judgements)).toBeCloseTo(1 / 3, 12);
    expect(reciprocalRankAt(2, ['x', 'y', 'c'], judgements)).toBe(0);
  });
});

it.each([ndcgAt, recallAt, reciprocalRankAt])('a query without a relevant document measures nothing (%o)', (metric) => {
  expect(metric(10, ['a'], new Map([['a', 0]]))).toBeUndefined();
  expect(metric(10, ['a'], new Map())).toBeUndefined();
});
