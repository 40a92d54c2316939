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

  it('takes the larger products where the distances say nothing', () => {
    const some = new VectorCodes(1_024);
    const vector = (share: number): Float32Array => new Float32Array(1_024).fill(1).fill(share, 512);
    some.set(
      1,
      OPEN,
      range(100).map((n) => ({ passage: n, vector: vector((n * 37) % 100 || 0.5) })),
    );
    const nearest = range(100).toSorted((a, b) => ((a * 37) % 100 || 0.5) - ((b * 37) % 100 || 0.5));
    expect(some.nearest(vector(0.5), EVERYBODY, 5).toSorted(byNumber)).toEqual(nearest.slice(0, 5).toSorted(byNumber));
  });

  it('holds what a plain map holds, and shows it to whom it is open or named for, whatever is set and deleted', () => {
    const code = fc.bigInt({ min: 0n, max: (1n << BigInt(DIMENSIONS)) - 1n });
    const step = fc.record({
      document: fc.integer({ min: 1, max: 60 }),
      tenant: fc.constantFrom('acme', 'other'),
      isOpen: fc.boolean(),
      signs: fc.array(code, { maxLength: 300 }),
    });
    const admission = fc.record({
      openTo: fc.constantFrom('acme', 'other', 'unknown', undefined),
      documents: fc.uniqueArray(fc.integer({ min: 1, max: 70 })).map((numbers) => new Set(numbers)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), code, admission, fc.integer({ min: 1, max: 40 }), (...of) => {
        const [steps, query, admitted, count] = of;
        const some = codes();
        const model = new Map<number, (typeof steps)[number]>();
        for (const each of steps) {
          some.set(each.document, each, passages(each.document, ...each.signs));
          model.set(each.document, each);
        }
        const all = [...model.values()].flatMap((each) =>
          each.signs.map((signs, ordinal) => ({
            passage: each.document * 1000 + ordinal,
            distance: bits(signs ^ query),
            isSeen: (each.isOpen && each.tenant === admitted.openTo) || admitted.documents.has(each.document),
          })),
        );
        const seen = all.filter(({ isSeen }) => isSeen).toSorted((a, b) => a.distance - b.distance);
        const cutoff = seen[Math.min(count, seen.length) - 1]?.distance ?? 0;
        expect(some.size).toBe(all.length);
        expect(all.every(({ passage }) => some.has(Math.floor(passage / 1000), passage))).toBe(true);
        expect(some.has(1, 1_000_000)).toBe(false);
        const found = some.nearest(vectorOf(query), admitted, count);
        expect(new Set(found).size).toBe(Math.min(count, seen.length));
        expect(found).toHaveLength(Math.min(count, seen.length));
        // The query of this test has one length in all directions: its products order as the distances do.
        const distanceOf = new Map(seen.map(({ passage, distance }) => [passage, distance]));
        for (const passage of found) expect(distanceOf.get(passage)).toBeLessThanOrEqual(cutoff);
      }),
      { numRuns: 60 },
    );
  });

  it('takes no more memory for documents that change all the time', () => {
    const some = codes();
    const known = (): number[] => some.nearest(vectorOf(0n), EVERYBODY, 10_000).toSorted(byNumber);
    for (let round = 0; round < 40; round++)
      for (let document = 1; document <= 20; document++)
        some.set(document, OPEN, passages(document, ...range(250).map((n) => BigInt(n * round))));
    expect(some.size).toBe(5_000);
    expect(some.places).toBeLessThan(11_000);
    expect(known()).toEqual(range(20).flatMap((document) => range(250).map((n) => (document + 1) * 1000 + n)));
    for (let document = 1; document <= 19; document++) some.delete(document);
    expect(known()).toEqual(range(250).map((n) => 20_000 + n));
  });
});

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function bits(word: bigint): number {
  return word.toString(2).replaceAll('0', '').length;
}

function byNumber(a: number, b: number): number {
  return a - b;
}
