import type { Hit } from '../../ports/document-store/document-store.ts';
import type { LegWeights } from './classify-query.ts';

/** Dampens the lead of the first ranks; 60 is the constant of Cormack, Clarke and Büttcher (SIGIR 2009). */
export const RRF_K = 60;

/**
 * Weighted reciprocal rank fusion: a passage gets `weight / (RRF_K + rank)` from every leg that found it. Scores of legs are not
 * comparable, ranks are. Pure and deterministic: ties go to the better single rank, then to the passage id.
 */
export function fuse(
  legs: { readonly lexical: readonly Hit[]; readonly dense: readonly Hit[] },
  weights: LegWeights,
  k: number,
): readonly Hit[] {
  const fused = new Map<string, { hit: Hit; score: number; bestRank: number }>();
  for (const leg of ['lexical', 'dense'] as const) {
    for (const [index, hit] of legs[leg].entries()) {
      const share = weights[leg] / (RRF_K + index + 1);
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
