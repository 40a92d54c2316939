import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hit } from '../../ports/document-store/document-store.ts';
import type { PassageId } from '../../schemas/ids.ts';
import { LEG_WEIGHTS } from './classify-query.ts';
import { fuse, RRF_K } from './fuse.ts';

const hit = (id: string, hasVector = true): Hit => ({ passage: { id: id as PassageId }, hasVector }) as Hit;
const ids = (hits: readonly Hit[]) => hits.map(({ passage }) => String(passage.id));
/** A ranking has every passage at most once. */
const ranking = fc
  .uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 30 })
  .map((numbers) => numbers.map((number) => hit(`d#${number}`)));
const legs = fc.record({ lexical: ranking, dense: ranking });
const weights = fc.record({
  lexical: fc.double({ min: 0.01, max: 5, noNaN: true }),
  dense: fc.double({ min: 0.01, max: 5, noNaN: true }),
});
const EVEN = LEG_WEIGHTS.words;

describe('fusion', () => {
  test('returns every passage of either leg once, and none else', () => {
    fc.assert(
      fc.property(legs, weights, (both, weight) => {
        const fused = ids(fuse(both, weight, 1_000));
        expect([...fused].sort()).toEqual([...new Set([...ids(both.lexical), ...ids(both.dense)])].sort());
      }),
    );
  });

  test('keeps the order of a leg that is alone', () => {
    fc.assert(
      fc.property(ranking, weights, (alone, weight) => {
        expect(ids(fuse({ lexical: alone, dense: [] }, weight, 1_000))).toEqual(ids(alone));
        expect(ids(fuse({ lexical: [], dense: alone }, weight, 1_000))).toEqual(ids(alone));
      }),
    );
  });

  test('never puts a passage below one that both legs rank lower', () => {
    fc.assert(
      fc.property(legs, weights, (both, weight) => {
        const fused = ids(fuse(both, weight, 1_000));
        const rank = (leg: readonly Hit[], id: string) => {
          const at = ids(leg).indexOf(id);
          return at === -1 ? Infinity : at;
        };
        for (const [place, id] of fused.entries())
          for (const lower of fused.slice(place + 1)) {
            const isWorse =
              rank(both.lexical, id) > rank(both.lexical, lower) && rank(both.dense, id) > rank(both.dense, lower);
            expect(isWorse).toBe(false);
          }
      }),
    );
  });

  test('gives the same order every time, and a prefix of it for a smaller k', () => {
    fc.assert(
      fc.property(legs, weights, fc.nat({ max: 20 }), (both, weight, k) => {
        const all = ids(fuse(both, weight, 1_000));
        expect(ids(fuse(both, weight, 1_000))).toEqual(all);
        expect(ids(fuse(both, weight, k))).toEqual(all.slice(0, k));
      }),
    );
  });

  test('does not depend on which leg found a passage when both weigh the same', () => {
    fc.assert(
      fc.property(legs, ({ lexical, dense }) => {
        expect(ids(fuse({ lexical, dense }, EVEN, 1_000))).toEqual(
          ids(fuse({ lexical: dense, dense: lexical }, EVEN, 1_000)),
        );
      }),
    );
  });

  test('does not push a passage back whose vector is still to come', () => {
    const older = Array.from({ length: 8 }, (_, n) => hit(`older${n}`));
    const both = { lexical: [hit('newest', false), ...older], dense: older };
    expect(ids(fuse(both, EVEN, 1))).toEqual(['newest']);
  });

  test('prefers what both legs found to what one leg found alone', () => {
    const both = { lexical: [hit('a'), hit('b')], dense: [hit('c'), hit('b')] };
    expect(ids(fuse(both, EVEN, 3))).toEqual(['b', 'a', 'c']);
    expect(2 / (RRF_K + 2)).toBeGreaterThan(1 / (RRF_K + 1));
  });
});
