/** Grades of one query by document id; 0 is judged and not relevant, an absent document counts as 0. */
export type Judgements = ReadonlyMap<string, number>;

/**
 * Normalised discounted cumulative gain of the first `k` documents, 0 to 1: the gain of a document is its grade, the discount
 * log2(rank + 1), as trec_eval computes it.
 * @param ranking document ids, best first, each once.
 * @returns undefined where no document is relevant: such a query measures nothing.
 */
export function ndcgAt(k: number, ranking: readonly string[], judgements: Judgements): number | undefined {
  const ideal = [...judgements.values()].filter((grade) => grade > 0).sort((a, b) => b - a);
  if (ideal.length === 0) return undefined;
  return gain(ranking.slice(0, k).map((id) => gradeOf(id, judgements))) / gain(ideal.slice(0, k));
}

/** Share of the relevant documents that are among the first `k`; undefined where there are none. */
export function recallAt(k: number, ranking: readonly string[], judgements: Judgements): number | undefined {
  const relevant = [...judgements.values()].filter((grade) => grade > 0).length;
  if (relevant === 0) return undefined;
  return ranking.slice(0, k).filter((id) => gradeOf(id, judgements) > 0).length / relevant;
}

/** 1 / rank of the first relevant document, 0 when it is not among the first `k`; undefined where there is none. */
export function reciprocalRankAt(k: number, ranking: readonly string[], judgements: Judgements): number | undefined {
  if (![...judgements.values()].some((grade) => grade > 0)) return undefined;
  const index = ranking.slice(0, k).findIndex((id) => gradeOf(id, judgements) > 0);
  return index < 0 ? 0 : 1 / (index + 1);
}

function gradeOf(id: string, judgements: Judgements): number {
  return Math.max(0, judgements.get(id) ?? 0);
}

function gain(grades: readonly number[]): number {
  return grades.reduce((sum, grade, index) => sum + grade / Math.log2(index + 2), 0);
}
