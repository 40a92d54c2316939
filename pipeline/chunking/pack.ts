import { Cut, type Units } from './units.ts';

/**
 * Smallest passage that the packer makes on its own, as a share of the largest. Smaller gives steadier borders, larger gives fuller
 * passages: 0.3 fills 63 % on prose (docs/adr/0005-chunker.md).
 */
const MIN_SHARE = 0.3;

/** Characters of a unit that decide its rank: its beginning, so that an edit further on moves no border. */
const RANKED_CHARS = 24;
/** Characters that decide between units that begin alike (rows, lines of a log). */
const TIE_CHARS = 256;
/** Above every rank, so that the worth of a cut comes first. */
const CUT_WORTH = 2 ** 32;

/**
 * Packs units `from` to `to` into passages of at most `maxWeight` and returns the first unit of each, ascending.
 *
 * What does not fit is cut in two at the best place of all (the kind of cut first, then a rank that is a hash of the text behind it),
 * and each part again until it fits. So a border depends on the text at it and on nothing to its left: after an edit the same places
 * win again, except where the edit itself made or removed the best one, and passages elsewhere keep their text and their vectors.
 * Costs O(n log n) for n units, whatever their ranks.
 */
export function pack(text: string, units: Units, from: number, to: number, maxWeight: number): number[] {
  const firsts: number[] = [];
  for (let first = from; first < to;) {
    let end = first + 1;
    while (end < to && units.cuts[end] !== Cut.forced) end++;
    packFree(text, units, first, end, maxWeight, firsts);
    first = end;
  }
  return firsts;
}

/** Packs units without a forced cut between them. */
function packFree(text: string, units: Units, from: number, to: number, maxWeight: number, firsts: number[]): void {
  const until = new Float64Array(to - from + 1);
  for (let i = from; i < to; i++) until[i - from + 1] = (until[i - from] ?? 0) + (units.weights[i] ?? 0);
  if ((until[to - from] ?? 0) <= maxWeight) {
    firsts.push(from);
    return;
  }
  const minWeight = maxWeight * MIN_SHARE;
  const places = new Places(text, units, from, to);
  // The parts that are still to be packed, the leftmost on top: recursion would be as deep as a hostile text wants.
  const ends = [to];
  for (let first = from; first < to;) {
    const end = ends.at(-1) ?? to;
    const start = until[first - from] ?? 0;
    const stop = until[end - from] ?? 0;
    if (stop - start <= maxWeight || end - first === 1) {
      firsts.push(first);
      first = end;
      ends.pop();
      continue;
    }
    const least = from + firstAtLeast(until, start + minWeight);
    const most = from + lastAtMost(until, stop - minWeight);
    const best = places.best(Math.max(least, first + 1), Math.min(most, end - 1));
    if (best > 0) ends.push(best);
    else ends.push(Math.min(end - 1, Math.max(first + 1, from + lastAtMost(until, start + maxWeight))));
  }
}

/** Index of the first sum that is at least `weight`. */
function firstAtLeast(until: Float64Array, weight: number): number {
  let low = 0;
  let high = until.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((until[middle] ?? 0) < weight) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the last sum that is at most `weight`. */
function lastAtMost(until: Float64Array, weight: number): number {
  let low = 0;
  let high = until.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((until[middle] ?? 0) > weight) high = middle - 1;
    else low = middle;
  }
  return low;
}

/** The places before units, asked for the best of a range: a tournament tree, so that a question costs O(log n). */
class Places {
  readonly #text: string;
  readonly #units: Units;
  readonly #from: number;
  readonly #count: number;
  readonly #scores: Float64Array;
  /** Node `i` has the winner of nodes `2i` and `2i + 1`; the leaves begin at `count`. */
  readonly #winners: Int32Array;

  constructor(text: string, units: Units, from: number, to: number) {
    this.#text = text;
    this.#units = units;
    this.#from = from;
    this.#count = to - from;
    this.#scores = new Float64Array(this.#count);
    this.#winners = new Int32Array(2 * this.#count);
    for (let i = 0; i < this.#count; i++) {
      const cut = units.cuts[from + i] ?? Cut.never;
      this.#scores[i] = cut === Cut.never ? 0 : cut * CUT_WORTH + this.#hash(from + i, RANKED_CHARS);
      this.#winners[this.#count + i] = i;
    }
    for (let node = this.#count - 1; node > 0; node--) {
      this.#winners[node] = this.#better(this.#winners[2 * node] ?? 0, this.#winners[2 * node + 1] ?? 0);
    }
  }

  /** The best place before units `first` to `last`, both included; -1 where none may be cut. */
  best(first: number, last: number): number {
    let winner = -1;
    let left = first - this.#from + this.#count;
    let right = last - this.#from + this.#count + 1;
    for (; left < right; left >>= 1, right >>= 1) {
      if (left & 1) winner = this.#better(winner, this.#winners[left++] ?? 0);
      if (right & 1) winner = this.#better(winner, this.#winners[--right] ?? 0);
    }
    return winner < 0 || this.#scores[winner] === 0 ? -1 : this.#from + winner;
  }

  #better(a: number, b: number): number {
    if (a < 0) return b;
    const difference = (this.#scores[a] ?? 0) - (this.#scores[b] ?? 0);
    if (difference !== 0) return difference > 0 ? a : b;
    const tie = this.#hash(this.#from + a, TIE_CHARS) - this.#hash(this.#from + b, TIE_CHARS);
    if (tie !== 0) return tie > 0 ? a : b;
    // Equal texts: scattered, because always taking the first would make passages of the smallest size.
    return scatter(a) > scatter(b) ? a : b;
  }

  /** A hash of the beginning of a unit. */
  #hash(unit: number, chars: number): number {
    const start = this.#units.starts[unit] ?? 0;
    const stop = Math.min(this.#units.ends[unit] ?? 0, start + chars);
    let hash = 0x811c9dc5;
    for (let i = start; i < stop; i++) hash = Math.imul(hash ^ this.#text.charCodeAt(i), 0x01000193);
    return scatter(hash);
  }
}

/** Spreads near numbers over all 32 bits (the finaliser of MurmurHash3). */
function scatter(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
