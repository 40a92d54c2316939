import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { aResult, aRunOf } from '../../test/support/eval-result.ts';
import { holdToBaseline, updatedBaseline } from './hold-to-baseline.ts';

/** 35 queries, as many as the smallest set has. */
const figures = (() => {
  const random = seededRandom(5);
  return Array.from({ length: 35 }, () => random());
})();
const baseline = aRunOf(figures);

describe('the gate', () => {
  it('lets the same figures through, and better ones', () => {
    expect(holdToBaseline(baseline, aRunOf(figures)).passes).toBe(true);
    const better = holdToBaseline(baseline, aRunOf(figures.map((each) => each + 0.1)));
    expect(better).toMatchObject({ passes: true, comparison: { verdict: 'better' } });
  });

  it('stops a planted fall of a fifth', () => {
    const fallen = aRunOf(figures.map((each) => each * 0.8));
    expect(holdToBaseline(baseline, fallen)).toMatchObject({ passes: false, comparison: { verdict: 'worse' } });
  });

  it('lets one query through that fell from the best to nothing: that is what chance does', () => {
    const one = aRunOf(figures.map((each, index) => (index === 3 ? 0 : each)));
    expect(holdToBaseline(baseline, one).passes).toBe(true);
  });

  it('one metric that fell is not made good by another that rose', () => {
    const queries = figures.map((_, index) => `q${index}`);
    const run = (first: readonly number[], second: readonly number[]) =>
      aResult({
        sets: [
          {
            set: 'adi',
            queries,
            metrics: [
              { metric: 'lexical', values: first },
              { metric: 'dense', values: second },
            ],
          },
        ],
      });
    const higher = figures.map((each) => each + 0.2);
    expect(holdToBaseline(run(higher, figures), run(figures, higher)).passes).toBe(false);
  });

  it('names a set that this machine does not have, and lets the rest decide', () => {
    const both = { ...baseline, sets: [...baseline.sets, { set: 'elsewhere', queries: ['x'], metrics: [] }] };
    const verdict = holdToBaseline(both, aRunOf(figures));
    expect(verdict).toMatchObject({ notMeasured: ['elsewhere'], passes: true });
    expect(holdToBaseline(baseline, { ...baseline, sets: [] })).toEqual({
      suite: 'retrieval',
      comparison: undefined,
      notMeasured: ['adi'],
      passes: true,
    });
  });
});

describe('a new baseline', () => {
  it('has the figures of the run, and keeps those of sets that were not measured', () => {
    const elsewhere = { set: 'elsewhere', queries: ['x'], metrics: [{ metric: 'm', values: [1] }] };
    const run = aRunOf([1, 1], { measuredAt: '2026-05-05T00:00:00.000Z' });
    const updated = updatedBaseline({ ...baseline, sets: [...baseline.sets, elsewhere] }, run);
    expect(updated).toEqual({ ...run, sets: [...run.sets, elsewhere] });
    expect(updatedBaseline(undefined, run)).toEqual(run);
  });
});
