/** One entry of a reply, unchecked: which text of the request, and how well it answers. */
export interface IndexedScore {
  readonly index: unknown;
  readonly score: unknown;
}

/**
 * Puts the scores of a reply in the order of the texts. Servers reply best first, so that the place in the list says nothing.
 * @param count texts of the request.
 * @returns what is wrong with the reply, as a sentence part, when not every text has exactly one finite score: an order with holes or with NaN in it
 * would be none.
 */
export function checkScores(entries: readonly IndexedScore[], count: number): readonly number[] | string {
  if (entries.length !== count) return `${entries.length} scores for ${count} texts`;
  const scores = Array.from({ length: count }, () => Number.NaN);
  for (const { index, score } of entries) {
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= count)
      return 'a score is of a text that was not sent';
    if (typeof score !== 'number' || !Number.isFinite(score)) return 'a score is not a number';
    if (!Number.isNaN(scores[index])) return 'a text has two scores';
    scores[index] = score;
  }
  return scores;
}
