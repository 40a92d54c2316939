import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VectorCodes } from './vector-codes.ts';
import type { NumberedVector } from './vector-slots.ts';

const DIMENSIONS = 40; // not a multiple of a word's bits
const NOBODY = { openTo: undefined, documents: new Set<number>() };
const EVERYBODY = { openTo: 'acme', documents: new Set<number>() };
const OPEN = { tenant: 'acme', isOpen: true };

function vectorOf(signs: bigint): Float32Array {
  return Float32Array.from({ length: DIMENSIONS }, (_, i) => ((signs >> BigInt(i)) & 1n ? 1 : -1));
}

function codes(): VectorCodes {
  return new VectorCodes(DIMENSIONS);
}

function passages(document: number, ...signs: readonly bigint[]): NumberedVector[] {
  return signs.map((each, ordinal) => ({ passage: document * 1000 + ordinal, vector: vectorOf(each) }));
}

describe('vector codes', () => {
  it('finds the nearest and not the others', () => {
    const some = codes();
    some.set(1, OPEN, passages(1, 0b1111n, 0b0001n));
    some.set(2, OPEN, passages(2, 0b11111111n << 20n));
    expect(some.nearest(vectorOf(0b0011n), EVERYBODY, 2).toSorted(byNumber)).toEqual([1000, 1001]);
  });

  it('gives all there are when more are asked for', () => {
    const some = codes();
    some.set(1, OPEN, passages(1, 1n, 2n, 4n));
    expect(some.nearest(vectorOf(0n), EVERYBODY, 50)).toHaveLength(3);
    expect(codes().nearest(vectorOf(0n), EVERYBODY, 50)).toEqual([]);
  });

  it('looks at open documents of the tenant and at those that are named, and at nothing else', () => {
    const some = codes();
    some.set(1, OPEN, passages(1, 1n));
    some.set(2, { tenant: 'acme', isOpen: false }, passages(2, 1n));
    some.set(3, { tenant: 'other', isOpen: true }, passages(3, 1n));
    const found = (admitted: Parameters<VectorCodes['nearest']>[1]): readonly number[] =>
      some.nearest(vectorOf(1n), admitted, 10).toSorted(byNumber);
    expect(found(NOBODY)).toEqual([]);
    expect(found(EVERYBODY)).toEqual([1000]);
    expect(found({ ...EVERYBODY, documents: new Set([2]) })).toEqual([1000, 2000]);
    expect(found({ ...NOBODY, documents: new Set([3]) })).toEqual([3000]);
  });

  it('tells by the whole query which of the codes at one distance is nearer', () => {
    const some = codes();
    some.set(1, OPEN, passages(1, 0b01n, 0b10n));
    const query = vectorOf(0b11n);
    query[1] = 2;
    expect(some.nearest(query, EVERYBODY, 1)).toEqual([1001]);
  });

  it('holds what a plain map holds, whatever is set and deleted, and picks by distances, then by inner products', () => {
    const code = fc.bigInt({ min: 0n, max: (1n << BigInt(DIMENSIONS)) - 1n });
    const step = fc.record({ document: fc.integer({ min: 1, max: 60 }), signs: fc.array(code, { maxLength: 300 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), code, fc.integer({ min: 1, max: 40 }), (steps, query, count) => {
        const some = codes();
        const model = new Map<number, readonly bigint[]>();
        for (const { document, signs } of steps) {
          some.set(document, OPEN, passages(document, ...signs));
          model.set(document, signs);
        }
        const all = [...model].flatMap(([document, signs]) =>
          signs.map((each, ordinal) => ({ passage: document * 1000 + ordinal, distance: bits(each ^ query) })),
        );
        const byDistance = all.toSorted((a, b) => a.distance - b.distance);
        const cutoff = byDistance[Math.min(count, all.length) - 1]?.distance ?? 0;
        expect(some.size).toBe(all.length);
        const found = some.nearest(vectorOf(query), EVERYBODY, count);
        expect(new Set(found).size).toBe(Math.min(count, all.length));
        // The query of this test has one length in all directions: its inner products order as the distances do.
        const distanceOf = new Map(all.map(({ passage, distance }) => [passage, distance]));
        for (const passage of found) expect(distanceOf.get(passage)).toBeLessThanOrEqual(cutoff);
      }),
      { numRuns: 60 },
    );
  });
});

function bits(word: bigint): number {
  return word.toString(2).replaceAll('0', '').length;
}

function byNumber(a: number, b: number): number {
  return a - b;
}
