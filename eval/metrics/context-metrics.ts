/**
 * Context precision in RAGAS's sense (Es et al. 2024): the mean, over the ranks at which a relevant passage stands, of the share of relevant
 * passages up to there. 1 when all relevant passages stand before all others; 0 when none is relevant.
 * @param isRelevant passage by passage, best first.
 */
export function contextPrecision(isRelevant: readonly boolean[]): number {
  let relevant = 0;
  let sum = 0;
  for (const [index, each] of isRelevant.entries()) if (each) sum += ++relevant / (index + 1);
  return relevant === 0 ? 0 : sum / relevant;
}
