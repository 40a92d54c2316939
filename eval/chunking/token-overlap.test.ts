import { expect, it } from 'vitest';
import fc from 'fast-check';
import { takeBudget } from './take-budget.ts';
import { countTokens, tokenOverlap, type RetrievedSpan } from './token-overlap.ts';

/** Two texts of one-letter tokens, ten characters apart. */
const starts = Uint32Array.from({ length: 20 }, (_, i) => 10 * i);
const tokens = new Map([
  ['a', starts],
  ['b', starts],
]);
const from = (text: string, first: number, last: number): RetrievedSpan => ({
  text,
  start: 10 * first,
  end: 10 * last,
});

it('recall, precision and IoU count tokens that are found, wanted and retrieved', () => {
  const excerpts = [from('a', 2, 6), from('a', 10, 12)];
  expect(tokenOverlap(excerpts, 'a', [from('a', 0, 5)], tokens)).toEqual({
    recall: 3 / 6,
    precision: 3 / 5,
    iou: 3 / 8,
  });
  expect(tokenOverlap(excerpts, 'a', [], tokens)).toEqual({ recall: 0, precision: 0, iou: 0 });
});

it('what is retrieved twice is found once and retrieved twice', () => {
  const twice = [from('a', 0, 5), from('a', 4, 8)];
  expect(tokenOverlap([from('a', 2, 6)], 'a', twice, tokens)).toEqual({ recall: 1, precision: 4 / 9, iou: 4 / 9 });
});

it('the same place of another text is retrieved and not found', () => {
  expect(tokenOverlap([from('a', 2, 6)], 'a', [from('b', 2, 6)], tokens)).toEqual({ recall: 0, precision: 0, iou: 0 });
});

const anySpan = fc
  .tuple(fc.constantFrom('a', 'b'), fc.nat(19), fc.integer({ min: 1, max: 20 }))
  .map(([text, first, length]) => from(text, first, Math.min(20, first + length)));
const total = (spans: readonly RetrievedSpan[]) => spans.reduce((sum, span) => sum + countTokens(starts, span), 0);

it('a budget is used up to the last token, in the order of the ranking', () => {
  fc.assert(
    fc.property(fc.array(anySpan), fc.integer({ min: 1, max: 60 }), (ranking, budget) => {
      const taken = takeBudget(ranking, budget, tokens);
      expect(total(taken)).toBe(Math.min(budget, total(ranking)));
      expect(taken.slice(0, -1)).toEqual(ranking.slice(0, Math.max(0, taken.length - 1)));
    }),
  );
});

it('IoU is never above recall or precision, and a larger budget never lowers recall', () => {
  fc.assert(
    fc.property(anySpan, fc.array(anySpan), fc.integer({ min: 1, max: 60 }), (excerpt, ranking, budget) => {
      const at = (size: number) => tokenOverlap([excerpt], excerpt.text, takeBudget(ranking, size, tokens), tokens);
      const { recall, precision, iou } = at(budget);
      expect(iou).toBeLessThanOrEqual(Math.min(recall, precision));
      expect(at(budget + 1).recall).toBeGreaterThanOrEqual(recall);
    }),
  );
});
