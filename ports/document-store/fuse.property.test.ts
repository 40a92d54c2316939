import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hit, LegWeights, StoreReply } from './document-store.ts';
import type { PassageId } from '../../schemas/ids.ts';
import { fuseHits, REFERENCE_RANK } from './fuse.ts';

const hit = (id: string, score: number, hasVector = true): Hit =>
  ({ passage: { id: id as PassageId }, score, hasVector }) as Hit;
const ids = (hits: readonly Hit[]) => hits.map(({ passage }) => String(passage.id));
/** A ranking has every passage at most once; scores fall and may be equal. */
const ranking = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 30 }),
    fc.array(fc.double({ min: 0.001, max: 30, noNaN: true }), { minLength: 30, maxLength: 30 }),
  )
  .map(([numbers, scores]) => {
    const falling = scores.sort((a, b) => b - a);
    return numbers.map((number, rank) => hit(`d#${number}`, falling[rank]!));
  });
const legs = fc.record({ lexical: ranking, dense: ranking });
const weights = fc.record({
  lexical: fc.double({ min: 0.01, max: 5, noNaN: true }),
  dense: fc.double({ min: 0.01, max: 5, noNaN: true }),
});
const EVEN = { lexical: 1, dense: 0.8 };
const fuse = (both: StoreReply, weight: LegWeights, count: number) => fuseHits(both, { weights: weight, count });

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

  test('does not push a passage back whose vector is still to come', () => {
    const older = Array.from({ length: 8 }, (_, n) => hit(`older${n}`, 9 - n));
    const both = { lexical: [hit('newest', 10, false), ...older], dense: older };
    expect(ids(fuse(both, EVEN, 1))).toEqual(['newest']);
  });

  test('prefers what both legs found to what one leg found alone', () => {
    const dense = [hit('c', 0.9), hit('b', 0.85), hit('far', 0.5)];
    expect(ids(fuse({ lexical: [hit('a', 10), hit('b', 9)], dense }, EVEN, 3))).toEqual(['b', 'a', 'c']);
  });

  test('a leg that is sure of its best hit outweighs one that tells nothing apart', () => {
    const lexical = [hit('sure', 20), hit('b', 4), hit('c', 3)];
    const dense = ['c', 'b', 'd', 'sure'].map((id, rank) => hit(id, 0.71 - rank * 0.001));
    expect(ids(fuse({ lexical, dense }, EVEN, 1))).toEqual(['sure']);
  });

  test('does not depend on how deep the dense leg goes beyond the rank of reference', () => {
    const dense = Array.from({ length: 2 * REFERENCE_RANK }, (_, n) => hit(`d${n}`, 0.9 - n * 0.001));
    const lexical = [hit('d20', 5), hit('x', 4), hit('d99', 3)];
    const shallow = { lexical, dense: dense.slice(0, REFERENCE_RANK) };
    expect(ids(fuse({ lexical, dense }, EVEN, 20))).toEqual(ids(fuse(shallow, EVEN, 20)));
  });

  test('scores that are all equal keep the order of the legs', () => {
    const equal = ['a', 'b', 'c'].map((id) => hit(id, 1));
    expect(ids(fuse({ lexical: equal, dense: [] }, EVEN, 3))).toEqual(['a', 'b', 'c']);
    expect(ids(fuse({ lexical: [], dense: equal }, EVEN, 3))).toEqual(['a', 'b', 'c']);
  });
});
