import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { holmAdjusted, randomisationTest } from './randomisation-test.ts';

const p = (differences: readonly number[]) => randomisationTest(differences, seededRandom(1));

describe('the randomisation test', () => {
  it('gives the exact p of few differences: all five on one side happen twice in 32 draws', () => {
    expect(p([0.1, 0.1, 0.1, 0.1, 0.1])).toBeCloseTo(2 / 32, 1);
    expect(p([0.1, 0.2, 0.3, 0.4, 0.5, 0, 0, 0])).toBeCloseTo(2 / 32, 1);
  });

  it('finds nothing where nothing differs, and the smallest p where everything does', () => {
    expect(p([])).toBe(1);
    expect(p([0, 0, 0])).toBe(1);
    expect(p(Array.from({ length: 40 }, () => 0.3))).toBe(1 / 10_000);
  });

  it('does not care which run is which', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -4, max: 4 }), { maxLength: 12 }), (differences) => {
        const other = differences.map((each) => -each);
        expect(Math.abs(p(differences) - p(other))).toBeLessThan(0.03);
      }),
      { numRuns: 15, seed: 1 },
    );
  });

  it('calls about one in twenty of equal runs different', () => {
    const random = seededRandom(7);
    const runs = 300;
    let alarms = 0;
    for (let run = 0; run < runs; run++) {
      const differences = Array.from({ length: 25 }, () => random() - random());
      if (p(differences) < 0.05) alarms++;
    }
    expect(alarms / runs).toBeGreaterThan(0.02);
    expect(alarms / runs).toBeLessThan(0.08);
  });
});

describe('Holm', () => {
  it('multiplies the smallest by all, the next by one fewer, and never falls', () => {
    expect(holmAdjusted([0.04, 0.01, 0.03])).toEqual([0.06, 0.03, 0.06]);
    expect(holmAdjusted([])).toEqual([]);
  });

  it('keeps the order, is never below p and never above 1', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 }), (ps) => {
        const adjusted = holmAdjusted(ps);
        for (const [i, each] of adjusted.entries()) {
          expect(each).toBeGreaterThanOrEqual(ps[i]!);
          expect(each).toBeLessThanOrEqual(1);
          for (const [j, other] of adjusted.entries()) if (ps[i]! < ps[j]!) expect(each).toBeLessThanOrEqual(other);
        }
      }),
      { seed: 1 },
    );
  });
});
