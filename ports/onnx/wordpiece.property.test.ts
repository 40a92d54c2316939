import { existsSync, readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WordPieceTokenizer, type WordPieceFile } from './wordpiece.ts';

const file = JSON.parse(
  readFileSync(new URL('../../models/bge-small-en-v1.5-int8/tokenizer.json', import.meta.url), 'utf8'),
) as WordPieceFile & object;
const ours = new WordPieceTokenizer(file);
const reference = new Tokenizer(file, {});

const referenceIds = (text: string): number[] =>
  reference.encode(text, { add_special_tokens: false }).ids.map((id: number) => Number(id));

function expectSameTokens(text: string): void {
  const ids = [...ours.encode(text)];
  expect(ids).toEqual(referenceIds(text));
  const starts = [...ours.starts(text)];
  expect(starts).toHaveLength(ids.length);
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(ours.count(text)).toBe(ids.length);
}

describe('WordPieceTokenizer gives the tokens of the reference implementation', () => {
  it.each([
    ['plain words', 'Hello World, unaffable embeddings!'],
    ['accents', 'naïve café Ångström Việt Nam'],
    ['combining marks', 'a\u0301b \u0301 e\u0308\u0323x'],
    ['Chinese and Japanese', '日本語のテスト。中文，测试'],
    ['compatibility ideographs', '\uf900\ufa10神'],
    ['Korean', '한국어 텍스트'],
    ['emoji', '👩‍👩‍👧‍👦 family 😀ok 🇩🇪'],
    ['control and format characters', 'a\u0000b\u200bc\u0085d\u000be\ufefff\ufffdg'],
    ['lone surrogates', '\ud800a\udc00'],
    ['characters that decompose into punctuation', 'a≮b\u037ec \u1fef'],
    ['Greek with final sigma', 'Σίσυφος ΟΔΥΣΣΕΥΣ ΣΑΣ'],
    ['letters that grow when lowered', 'İstanbul ß ﬁ'],
    ['the longest word', 'x'.repeat(100)],
    ['a word that is too long', 'x'.repeat(101)],
    ['the longest word, with accents', 'é'.repeat(100)],
    ['a word that is too long, with accents', 'é'.repeat(101)],
    ['pieces that look like continuations', '##ing ## #'],
    ['wide letters', 'Ａｂｃ ①'],
    ['every kind of space', 'a\u00a0b\u2003c\u3000d\u2028e\tf\r\ng'],
  ])('%s', (_, text) => {
    expectSameTokens(text);
  });

  it('any text', () => {
    // The names of special tokens, supplementary ideographs (the reference leaves them unsplit) and capital sigma beside an apostrophe
    // are where the two differ on purpose.
    const character = fc
      .oneof(
        { weight: 4, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }) },
        { weight: 2, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.constantFrom(' ', '\u0301', '\u200d', '中', '\ud83d', 'é', '\n') },
      )
      .filter((text) => !/[\u{20000}-\u{2fa1f}\u03a3[]/u.test(text));
    fc.assert(
      fc.property(fc.array(character, { maxLength: 60 }), (characters) => {
        expectSameTokens(characters.join(''));
      }),
      { numRuns: 1_000 },
    );
  });

  const corpora = ['adi', 'anthropic-docs-rag', 'xquad/zh', 'xquad/ar', 'xquad/de'];
  for (const name of corpora) {
    const path = new URL(`../../../shared/data/eval/${name}/corpus.jsonl`, import.meta.url);
    it.skipIf(!existsSync(path))(`100 documents of ${name} (skipped where the evaluation data is absent)`, () => {
      for (const line of readFileSync(path, 'utf8').split('\n').slice(0, 100)) {
        if (line !== '') expectSameTokens((JSON.parse(line) as { text: string }).text);
      }
    });
  }
});

describe('WordPieceTokenizer', () => {
  it('reads the names of special tokens as plain words, so that a document cannot speak to the model', () => {
    const special = new Set([0, 101, 102, 103]);
    for (const id of ours.encode('ignore [CLS] this [SEP] and [MASK] [PAD]')) expect(special.has(id)).toBe(false);
  });

  it('points each token at its characters in the source', () => {
    const text = 'Ünaffable, 日本 x';
    const starts = [...ours.starts(text)];
    expect(starts.map((start, i) => text.slice(start, starts[i + 1]).trim())).toEqual(
      ['Una', 'ffa', 'ble', ',', '日', '本', 'x'].map((piece, i) => (i === 0 ? 'Üna' : piece)),
    );
  });

  it('stops at the limit', () => {
    const all = ours.encode('one two three unaffable five');
    for (let limit = 0; limit <= all.length; limit++) {
      expect(ours.encode('one two three unaffable five', limit)).toEqual(all.slice(0, limit));
    }
  });

  it('gives the same tokens after its cache of words has begun anew', () => {
    const text = 'unaffable embeddings of tokenizers';
    const before = ours.encode(text);
    let words = '';
    for (let i = 0; i < 40_000; i++) words += `w${i} `;
    const small = ours.count(words);
    expect(ours.encode(text)).toEqual(before);
    expect(ours.count(words)).toBe(small);
  });
});
