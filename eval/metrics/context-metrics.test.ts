import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contextPrecision } from './context-metrics.ts';

it('context precision is the mean precision at the ranks of relevant passages', () => {
  expect(contextPrecision([true, false, true])).toBeCloseTo((1 + 2 / 3) / 2, 10);
  expect(contextPrecision([true, true, false, false])).toBe(1);
  expect(contextPrecision([false, false])).toBe(0);
  expect(contextPrecision([])).toBe(0);
});

it('moving a relevant passage up never lowers it', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 10 }), fc.nat(), (relevant, at) => {
      const place = 1 + (at % (relevant.length - 1));
      if (!relevant[place] || relevant[place - 1]) return;
      const better = relevant.with(place - 1, true).with(place, false);
      expect(contextPrecision(better)).toBeGreaterThanOrEqual(contextPrecision(relevant));
    }),
    { seed: 1 },
  );
});
