/** A passage and how good it is; a higher score is better, within one leg. */
export interface Ranked {
  readonly passage: bigint;
  readonly score: number;
}
