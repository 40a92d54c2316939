import { countTokens, firstFrom, type RetrievedSpan, type TokenStarts } from './token-overlap.ts';

/**
 * What of a ranking fits into a budget: whole spans, best first, and of the next one its beginning, so that every chunker retrieves equally
 * many tokens (fewer only when the ranking ends). A token that two spans have counts twice, as in a prompt that shows both.
 */
export function takeBudget(
  ranking: readonly RetrievedSpan[],
  budgetTokens: number,
  tokens: ReadonlyMap<string, TokenStarts>,
): readonly RetrievedSpan[] {
  const taken: RetrievedSpan[] = [];
  let left = budgetTokens;
  for (const span of ranking) {
    if (left <= 0) break;
    const starts = tokens.get(span.text) ?? new Uint32Array();
    const length = countTokens(starts, span);
    const end = length <= left ? span.end : (starts[firstFrom(starts, span.start) + left] ?? span.end);
    taken.push({ ...span, end });
    left -= length;
  }
  return taken;
}
