import type { Hit } from '../../ports/document-store/document-store.ts';
import type { LegWeights } from './classify-query.ts';

/**
 * Dampens the lead of the first ranks. Cormack, Clarke and Büttcher (SIGIR 2009) took 60 for runs of many systems; with two legs 10
 * ranks better (docs/adr/0007-retrieval-and-fusion.md) and lets the best hit of one leg stand before middling hits of both.
 */
export const RRF_K = 10;

/**
 * Weighted reciprocal rank fusion: a passage gets `weight / (RRF_K + rank)` from every leg that found it. Scores of legs are not
 * comparable, ranks are. A passage whose vector is still to come counts as if the dense leg agreed with the lexical one: otherwise
 * the newest text, which only one leg can find yet, would rank behind everything older that both have (lexical-first). Pure and
 * deterministic: ties go to the better single rank, then to the passage id.
 */
export function fuse(
  legs: { readonly lexical: readonly Hit[]; readonly dense: readonly Hit[] },
  weights: LegWeights,
  k: number,
): readonly Hit[] {
  const fused = new Map<string, { hit: Hit; score: number; bestRank: number }>();
  const hasDense = legs.dense.length > 0;
  for (const leg of ['lexical', 'dense'] as const) {
    for (const [index, hit] of legs[leg].entries()) {
      const weight = weights[leg] + (hasDense && leg === 'lexical' && !hit.hasVector ? weights.dense : 0);
      const share = weight / (RRF_K + index + 1);
      const entry = fused.get(hit.passage.id);
      if (!entry) fused.set(hit.passage.id, { hit, score: share, bestRank: index });
      else {
        entry.score += share;
        entry.bestRank = Math.min(entry.bestRank, index);
      }
    }
  }
  return [...fused.entries()]
    .sort(([idA, a], [idB, b]) => b.score - a.score || a.bestRank - b.bestRank || (idA < idB ? -1 : 1))
    .slice(0, k)
    .map(([, { hit }]) => hit);
}
