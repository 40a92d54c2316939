import fc from 'fast-check';
import { expect, it } from 'vitest';
import { foldWords } from './fold-words.ts';

it.each([
  ['plain words stay as they are.', 'plain words stay as they are.'],
  ['Café Müller', 'Cafe Muller'],
  ['see v1.13.0', 'see v1 13 0'],
  ['foo_bar and a.b.c', 'foo bar and a b c'],
  ["don't", 'don t'],
  ['1,000 at 10:30', '1 000 at 10 30'],
  ['漢字かな 한국어', '漢字かな 한국어'],
  ['が', 'が'],
  ['a\0b \ud800', 'a b \ufffd'],
])('%j is searched as %j', (text, folded) => {
  expect(foldWords(text)).toBe(folded);
});

it('what is folded is folded once and for all, and is Unicode', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = foldWords(text);
      expect(foldWords(once)).toBe(once);
      expect(/[\0\p{Surrogate}]/u.test(once)).toBe(false);
    }),
  );
});
