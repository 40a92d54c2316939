import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StorageFailed } from '../../../runtime/errors.ts';
import { ANYBODY, VectorSlots, type Run } from './vector-slots.ts';

const EVERY = 1_000_000;
const DIMENSIONS = [1, 3, 40, 63, 64, 65, 384, 1_000, 1_024, 4_096];

/** The same two estimates as in the module, in plain JavaScript: distance by sign, product by components of 8 bits. */
function estimatesOf(query: Float32Array, vector: Float32Array): { distance: number; product: number } {
  const width = Math.ceil(query.length / 64) * 64;
  const largestOf = (of: Float32Array): number => Math.max(...of.map(Math.abs));
  const most = Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * width)));
  const units = largestOf(query) === 0 ? 0 : most / largestOf(query);
  const largest = largestOf(vector);
  let [distance, sum, squares] = [0, 0, 0];
  for (let i = 0; i < query.length; i++) {
    const [asked, value] = [query[i]!, vector[i]!];
    if (asked > 0 !== value > 0) distance++;
    squares += value * value;
    sum += Math.trunc(Math.fround(asked * units)) * halfToEven(value, largest);
  }
  const length = Math.sqrt(squares);
  return { distance, product: length === 0 ? 0 : (sum * largest) / 127 / length };
}

/** As f32x4.nearest rounds. */
function halfToEven(value: number, largest: number): number {
  if (largest === 0) return 0;
  const scaled = Math.fround(value * Math.fround(127 / largest));
  const down = Math.floor(scaled);
  if (scaled - down !== 0.5) return Math.round(scaled);
  return down % 2 === 0 ? down : down + 1;
}

/** Vectors of one length, by a seed; components as steep as those of models, a fifth of them zero. */
function vectors(dimensions: number, count: number): fc.Arbitrary<Float32Array[]> {
  return fc.integer().map((seed) => {
    let state = seed;
    const component = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      const value = state / 2 ** 31;
      return Math.abs(value) < 0.2 ? 0 : value ** 3;
    };
    return Array.from({ length: count }, () => Float32Array.from({ length: dimensions }, component));
  });
}

function filled(dimensions: number, all: readonly Float32Array[], audienceOf: (slot: number) => number): VectorSlots {
  const slots = new VectorSlots(dimensions);
  slots.reserve(all.length);
  all.forEach((vector, slot) => slots.put(slot, audienceOf(slot), { passage: 10 * slot, vector }));
  return slots;
}

describe('vector slots', () => {
  it('pick by the distances, and give the products, that plain code finds', () => {
    const sample = fc
      .record({ dimensions: fc.constantFrom(...DIMENSIONS), count: fc.integer({ min: 1, max: 40 }) })
      .chain(({ dimensions, count }) =>
        fc.record({
          all: vectors(dimensions, count + 1),
          wide: fc.integer({ min: 1, max: 45 }),
          audiences: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: count, maxLength: count }),
          start: fc.nat(count),
          audience: fc.integer({ min: 0, max: 3 }),
        }),
      );
    fc.assert(
      fc.property(sample, ({ all: [query, ...all], wide, audiences, start, audience }) => {
        const slots = filled(query!.length, all, (slot) => audiences[slot]!);
        const picked = slots.pick(query!, [{ start, end: all.length, audience }], wide);
        const admitted = all
          .map((vector, slot) => ({ passage: 10 * slot, slot, ...estimatesOf(query!, vector) }))
          .filter(({ slot }) => slot >= start && (audience === ANYBODY || audiences[slot] === audience));
        const cutoff = admitted.map(({ distance }) => distance).toSorted((a, b) => a - b)[wide - 1] ?? Infinity;
        const expected = admitted.filter(({ distance }) => distance <= cutoff);
        expect([...picked.passages]).toEqual(expected.map(({ passage }) => passage));
        expected.forEach(({ product }, i) => {
          expect(Math.abs(picked.products[i]! - product)).toBeLessThanOrEqual(1e-5 * Math.abs(product) + 1e-3);
        });
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  it.each(DIMENSIONS)('order %i dimensions as the cosine does, up to the last bit of a component', (dimensions) => {
    fc.assert(
      fc.property(vectors(dimensions, 30), ([query, ...all]) => {
        const { passages, products } = filled(dimensions, all, () => 1).pick(query!, [run(all.length)], EVERY);
        const exact = Array.from(passages, (passage) => cosine(query!, all[passage / 10]!));
        const unit = cosine(query!, query!) === 0 ? 1 : units(dimensions, query!);
        // Half a step of 1/127 of the largest component, for each component, is the most that rounding can move a cosine.
        const tolerance = Math.sqrt(dimensions) / 127;
        exact.forEach((value, i) => expect(Math.abs(products[i]! / unit - value)).toBeLessThanOrEqual(tolerance));
      }),
      { numRuns: 10 },
    );
  });

  it('have no sum that wraps around, whatever the number of dimensions', () => {
    for (const dimensions of [...DIMENSIONS, 16_384]) {
      const same = new Float32Array(dimensions).fill(0.3);
      const slots = filled(dimensions, [same, same.map((value) => -value)], () => 1);
      const { products } = slots.pick(same, [run(2)], EVERY);
      expect(products[0]).toBeGreaterThan(0);
      expect(products[1]).toBe(-products[0]!);
    }
  });

  it('put a vector without a direction behind one that points away, never in the way of a sum', () => {
    const odd = [[0, 0], [Number.NaN, 1], [Infinity, 1], [1e38, 1e38], [1, 0.5]].map((pair) => Float32Array.from(pair)); // prettier-ignore
    const { passages, products } = filled(2, odd, () => 1).pick(Float32Array.of(1, 0.5), [run(odd.length)], EVERY);
    expect(passages).toHaveLength(odd.length);
    expect(products.slice(0, 4)).toEqual(new Float32Array(4));
    expect(products[4]).toBeGreaterThan(0);
    const nothing = filled(2, odd, () => 1).pick(new Float32Array(2), [run(odd.length)], EVERY);
    expect([...nothing.products]).toEqual([0, 0, 0, 0, 0]);
  });

  it('keep what they hold when the memory grows, and find across blocks', () => {
    const slots = new VectorSlots(3);
    for (let slot = 0; slot < 5_000; slot++) {
      slots.reserve(slot + 1);
      slots.put(slot, 1 + (slot % 2), { passage: slot, vector: Float32Array.of(slot % 7, -1, 1) });
    }
    const found = (each: Run): number[] => [...slots.pick(Float32Array.of(1, 1, 1), [each], EVERY).passages];
    expect(found({ start: 1_000, end: 3_100, audience: ANYBODY })).toEqual(range(1_000, 3_100));
    expect(found({ start: 1_000, end: 3_100, audience: 2 })).toEqual(range(1_000, 3_100).filter((n) => n % 2 === 1));
    slots.hide(1_020, 2_100);
    expect(found({ start: 1_000, end: 3_100, audience: 1 })).toEqual(
      [...range(1_000, 1_020), ...range(2_100, 3_100)].filter((n) => n % 2 === 0),
    );
  });

  it('move as a whole, over the borders of blocks and over themselves', () => {
    const move = fc.record({ to: fc.nat(2_500), by: fc.nat(2_500), count: fc.integer({ min: 1, max: 2_500 }) });
    const vector = (n: number): Float32Array => Float32Array.of(n + 1, 1, -n);
    fc.assert(
      fc.property(move, ({ to, by, count }) => {
        const from = to + by;
        const all = Array.from({ length: from + count }, (_, n) => vector(n));
        const slots = filled(3, all, (slot) => 1 + (slot % 2));
        const before = slots.pick(vector(9), [{ start: from, end: from + count, audience: 1 }], EVERY);
        slots.move(from, to, count);
        expect(slots.pick(vector(9), [{ start: to, end: to + count, audience: 1 }], EVERY)).toEqual(before);
      }),
      { numRuns: 40 },
    );
  });

  it('say what to do when there is no more memory, and go on with what they have', () => {
    const slots = filled(4_096, [new Float32Array(4_096).fill(1)], () => 1);
    expect(() => slots.reserve(2_000_000)).toThrow(StorageFailed);
    expect(() => slots.reserve(2_000_000)).toThrow('profile: cluster');
    expect(slots.passage(0)).toBe(0);
    expect(slots.pick(new Float32Array(4_096).fill(1), [run(1)], 1).passages).toHaveLength(1);
  });

  it('run what the text of the module says', () => {
    const script = join(import.meta.dirname, '../../../scripts/build-wasm.js');
    expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toBe('');
  });
});

function run(end: number): Run {
  return { start: 0, end, audience: 1 };
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : dot(a, b) / lengths;
}

/** What a cosine of one is as a product with this query. */
function units(dimensions: number, query: Float32Array): number {
  const width = Math.ceil(dimensions / 64) * 64;
  const steps = Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * width)));
  return (steps / Math.max(...query.map(Math.abs))) * Math.hypot(...query);
}
