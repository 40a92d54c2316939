import type { Units } from './units.ts';

/** Smallest passage that the packer aims at, as a share of the largest. Measured in docs/adr/0005-chunker.md. */
const MIN_SHARE = 0.5;

/** Characters of a unit that decide its rank: its beginning, so that an edit further on moves no border. */
const RANKED_CHARS = 24;

/**
 * Packs units `from` to `to` into passages of at most `maxWeight` and returns the first unit of each.
 *
 * Borders depend on content, not on the distance from the start: among the places of the best kind between the smallest and the
 * largest passage, the one whose text ranks lowest is taken. After an edit the next windows hold mostly the same places, so the same
 * borders are found again and the passages behind them keep their text and their vectors. Every unit is looked at in at most
 * `1 / MIN_SHARE + 1` windows.
 */
export function pack(text: string, units: Units, from: number, to: number, maxWeight: number): number[] {
  const minWeight = Math.ceil(maxWeight * MIN_SHARE);
  let rest = 0;
  for (let i = from; i < to; i++) rest += units.weights[i] ?? 0;
  const firsts: number[] = [];
  for (let first = from; first < to;) {
    firsts.push(first);
    const next =
      rest <= maxWeight ? forcedCut(units, first, to) : nextCut(text, units, first, to, minWeight, maxWeight, rest);
    for (let i = first; i < next; i++) rest -= units.weights[i] ?? 0;
    first = next;
  }
  return firsts;
}

const FORCED = 6;

/** The first forced cut after `first`, else `to`. */
function forcedCut(units: Units, first: number, to: number): number {
  for (let i = first + 1; i < to; i++) if (units.cuts[i] === FORCED) return i;
  return to;
}

function nextCut(
  text: string,
  units: Units,
  first: number,
  to: number,
  minWeight: number,
  maxWeight: number,
  rest: number,
): number {
  let best = -1;
  let bestCut = -1;
  let bestRank = 0;
  let weight = 0;
  let at = first;
  while (at < to) {
    const next = weight + (units.weights[at] ?? 0);
    if (next > maxWeight && at > first) break;
    weight = next;
    at++;
    const cut = units.cuts[at] ?? 0;
    if (cut === FORCED) return at;
    // A last passage that would be too small is avoided, where there is another place to cut.
    if (at >= to || weight < minWeight || rest - weight < minWeight || cut < bestCut || cut === 0) continue;
    const rank = rankOf(text, units.starts[at] ?? 0, units.ends[at] ?? 0);
    if (cut > bestCut || rank <= bestRank) {
      best = at;
      bestCut = cut;
      bestRank = rank;
    }
  }
  return best > 0 ? best : at;
}

/** A hash of the beginning of a unit. */
function rankOf(text: string, start: number, end: number): number {
  const stop = Math.min(end, start + RANKED_CHARS);
  let hash = 0x811c9dc5;
  for (let i = start; i < stop; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
