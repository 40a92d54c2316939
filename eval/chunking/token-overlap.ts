import { joined, type Span } from './read-chunking-set.ts';

/** How well what was retrieved covers the excerpts that answer a question, all between 0 and 1. */
export interface TokenOverlap {
  /** Share of the excerpts' tokens that were retrieved. */
  readonly recall: number;
  /** Share of the retrieved tokens that are of the excerpts. */
  readonly precision: number;
  /** Tokens that are in both, by those that are in either. */
  readonly iou: number;
}

/** A text by its tokens: where each starts, UTF-16 code units, ascending. */
export type TokenStarts = Uint32Array;

/** A retrieved part of one of several texts. */
export interface RetrievedSpan extends Span {
  readonly text: string;
}

/**
 * Token-level recall, precision and intersection over union in the sense of Smith & Troynikov, "Evaluating Chunking Strategies for
 * Retrieval" (Chroma Technical Report, 2024), as their `BaseEvaluation._scores_from_dataset_and_retrievals` computes them: what is retrieved twice (an
 * overlap) counts twice as retrieved and once as found, and what is retrieved of other texts counts as retrieved. They count characters,
 * here it is tokens, as their paper says. A question without excerpts has NaN.
 */
export function tokenOverlap(
  excerpts: readonly Span[],
  text: string,
  retrieved: readonly RetrievedSpan[],
  tokens: ReadonlyMap<string, TokenStarts>,
): TokenOverlap {
  const starts = tokens.get(text) ?? new Uint32Array();
  const own = joined(retrieved.filter((span) => span.text === text));
  let wanted = 0;
  let found = 0;
  for (const excerpt of excerpts) {
    wanted += countTokens(starts, excerpt);
    for (const span of own) {
      const start = Math.max(excerpt.start, span.start);
      const end = Math.min(excerpt.end, span.end);
      if (start < end) found += countTokens(starts, { start, end });
    }
  }
  let taken = 0;
  for (const span of retrieved) taken += countTokens(tokens.get(span.text) ?? new Uint32Array(), span);
  return { recall: found / wanted, precision: taken === 0 ? 0 : found / taken, iou: found / (taken + wanted - found) };
}

/** Tokens that start inside a span. */
export function countTokens(starts: TokenStarts, { start, end }: Span): number {
  return firstFrom(starts, end) - firstFrom(starts, start);
}

/** Index of the first token that starts at `place` or later. */
export function firstFrom(starts: TokenStarts, place: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? 0) < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
