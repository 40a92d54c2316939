import type { Hit } from '../../ports/document-store/document-store.ts';
import type { LegWeights } from './classify-query.ts';

/**
 * Rank of the dense leg from which on a hit is worth nothing: the nearest of any passages are near to some degree, so that a cosine has
 * no zero of its own. A fixed rank, so that the order does not depend on how many hits were asked for.
 */
export const REFERENCE_RANK = 100;

interface Fused {
  readonly hit: Hit;
  score: number;
  bestRank: number;
}

/**
 * Adds up the scores of both legs, each scaled to 1 for its best hit of this query, and weighted (docs/adr/0017-retrieval-defaults.md).
 * Unlike ranks, scores say how far the best hit is ahead, so that a leg that tells nothing apart decides little. A passage whose vector
 * is still to come counts as if the dense leg agreed with the lexical one: otherwise the newest text, which only one leg can find
 * yet, would rank behind everything older that both have (lexical-first). Pure and deterministic: ties go to the better single
 * rank, then to the passage id.
 * @param legs best first, scores of one leg comparable with each other.
 */
export function fuse(
  legs: { readonly lexical: readonly Hit[]; readonly dense: readonly Hit[] },
  weights: LegWeights,
  k: number,
): readonly Hit[] {
  const fused = new Map<string, Fused>();
  const hasDense = legs.dense.length > 0;
  for (const leg of ['lexical', 'dense'] as const) {
    const share = shareOf(leg, legs[leg]);
    for (const [index, hit] of legs[leg].entries()) {
      const weight = weights[leg] + (hasDense && leg === 'lexical' && !hit.hasVector ? weights.dense : 0);
      const entry = fused.get(hit.passage.id) ?? { hit, score: 0, bestRank: index };
      entry.score += weight * share(hit.score);
      entry.bestRank = Math.min(entry.bestRank, index);
      fused.set(hit.passage.id, entry);
    }
  }
  return [...fused.entries()]
    .sort(([idA, a], [idB, b]) => b.score - a.score || a.bestRank - b.bestRank || (idA < idB ? -1 : 1))
    .slice(0, k)
    .map(([, { hit }]) => hit);
}

/** Scales the scores of a leg: 1 for its best hit, 0 for no hit at all. BM25 is 0 where no word is found. */
function shareOf(leg: 'lexical' | 'dense', hits: readonly Hit[]): (score: number) => number {
  const best = hits[0]?.score ?? 0;
  const nothing = leg === 'lexical' ? 0 : (hits[Math.min(REFERENCE_RANK, hits.length) - 1]?.score ?? 0);
  return best > nothing ? (score) => Math.max(0, (score - nothing) / (best - nothing)) : () => 1;
}
