import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eachWord, wordTokenizer } from './word-tokenizer.ts';

function words(text: string): string[] {
  const out: string[] = [];
  eachWord(text, (start, end) => out.push(text.slice(start, end)));
  return out;
}

it('words, marks and ideographs are one token each', () => {
  expect(words('Größe: 12.5 km,\u00a0ok? 東京')).toEqual([
    'Größe',
    ':',
    '12',
    '.',
    '5',
    'km',
    ',',
    'ok',
    '?',
    '東',
    '京',
  ]);
});

it('count, starts and words agree on any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const starts: number[] = [];
      eachWord(text, (start) => starts.push(start));
      expect([...wordTokenizer.starts(text)]).toEqual(starts);
      expect(wordTokenizer.count(text)).toBe(starts.length);
    }),
  );
});

it('a text of only marks has a start for each', () => {
  expect(wordTokenizer.starts('!'.repeat(1_000))).toHaveLength(1_000);
});
