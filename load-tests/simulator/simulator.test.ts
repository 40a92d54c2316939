import { describe, expect, test } from 'vitest';
import { runSeed } from './run-seed.ts';

/* A part of what `npm run simulate` runs, so that every change meets it. */
describe('simulator', () => {
  test('no seed breaks an invariant (I1-I7, I9, I11)', { timeout: 300_000 }, async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { violations } = await runSeed(seed, 300);
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
  });

  test('the same seed gives the same trace', { timeout: 120_000 }, async () => {
    for (const seed of [7, 1117]) expect((await runSeed(seed, 100)).trace).toBe((await runSeed(seed, 100)).trace);
  });
});
