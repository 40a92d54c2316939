import type { Fusion, Hit, StoreReply } from './document-store.ts';

/**
 * Rank of the dense leg from which on a hit is worth nothing: the nearest of any passages are near to some degree, so that a cosine has
 * no zero of its own. A fixed rank, so that the order does not depend on how many hits were asked for.
 */
export const REFERENCE_RANK = 100;

/** What of a hit decides its place. */
export interface Fusible {
  /** Comparable within its leg. */
  readonly score: number;
  /** Whether the dense leg could have found it. */
  readonly hasVector: boolean;
}

/** What tells hits apart, and what puts equal ones in order, which is asked for seldom. */
export interface Naming<T> {
  readonly keyOf: (hit: T) => unknown;
  readonly idOf: (hit: T) => string;
}

interface Fused<T> {
  readonly hit: T;
  score: number;
  bestRank: number;
}

/** Fuses hits that have been read whole. */
export function fuseHits(legs: StoreReply, fusion: Fusion): readonly Hit[] {
  const idOf = ({ passage }: Hit): string => passage.id;
  return fuse(legs, fusion, { keyOf: idOf, idOf });
}

/**
 * Adds up the scores of both legs, each scaled to 1 for its best hit of this query, and weighted (docs/adr/0017-retrieval-defaults.md).
 * Unlike ranks, scores say how far the best hit is ahead, so that a leg that tells nothing apart decides little. A passage whose vector
 * is still to come counts as if the dense leg agreed with the lexical one: otherwise the newest text, which only one leg can find
 * yet, would rank behind everything older that both have (lexical-first). Pure and deterministic: ties go to the better single
 * rank, then to the passage id.
 * @param legs best first, scores of one leg comparable with each other.
 */
export function fuse<T extends Fusible>(
  legs: { readonly lexical: readonly T[]; readonly dense: readonly T[] },
  { weights, count }: Fusion,
  { keyOf, idOf }: Naming<T>,
): readonly T[] {
  const fused = new Map<unknown, Fused<T>>();
  const hasDense = legs.dense.length > 0;
  for (const leg of ['lexical', 'dense'] as const) {
    const share = shareOf(leg, legs[leg]);
    for (const [index, hit] of legs[leg].entries()) {
      const weight = weights[leg] + (hasDense && leg === 'lexical' && !hit.hasVector ? weights.dense : 0);
      const key = keyOf(hit);
      const entry = fused.get(key) ?? { hit, score: 0, bestRank: index };
      entry.score += weight * share(hit.score);
      entry.bestRank = Math.min(entry.bestRank, index);
      fused.set(key, entry);
    }
  }
  return [...fused.values()]
    .sort((a, b) => b.score - a.score || a.bestRank - b.bestRank || (idOf(a.hit) < idOf(b.hit) ? -1 : 1))
    .slice(0, count)
    .map(({ hit }) => hit);
}

/** Scales the scores of a leg: 1 for its best hit, 0 for no hit at all. BM25 is 0 where no word is found. */
function shareOf(leg: 'lexical' | 'dense', hits: readonly Fusible[]): (score: number) => number {
  const best = hits[0]?.score ?? 0;
  const nothing = leg === 'lexical' ? 0 : (hits[Math.min(REFERENCE_RANK, hits.length) - 1]?.score ?? 0);
  return best > nothing ? (score) => Math.max(0, (score - nothing) / (best - nothing)) : () => 1;
}
