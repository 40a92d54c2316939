import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelMismatch } from '../../../runtime/errors.ts';
import { approximateTokenizer } from './approximate-tokenizer.ts';
import { openTokenizer } from './open-tokenizer.ts';

const bgeFile = fileURLToPath(new URL('../../../models/bge-small-en-v1.5-int8/tokenizer.json', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-tokenizer-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a tokenizer file', () => {
  it('of an uncased WordPiece model gives its tokens', async () => {
    const text = 'The embeddings of naïve 日本 readers.';
    const fromFile = await openTokenizer({ kind: 'file', path: bgeFile });
    const own = await openTokenizer({ kind: 'bge' });
    expect(fromFile.exact).toBe(true);
    expect(fromFile.tokenizer.starts(text)).toEqual(own.tokenizer.starts(text));
  });

  const usable = {
    normalizer: { type: 'BertNormalizer', lowercase: true, strip_accents: null },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    model: { type: 'WordPiece', unk_token: '[UNK]', max_input_chars_per_word: 100, vocab: { '[UNK]': 0, a: 1 } },
  };
  it.each<[string, unknown, RegExp]>([
    ['of a byte-pair model', { ...usable, model: { type: 'BPE' } }, /type BPE/],
    ['of a unigram model', { ...usable, model: { type: 'Unigram' } }, /type Unigram/],
    ['that keeps case', { ...usable, normalizer: { type: 'BertNormalizer', lowercase: false } }, /case/],
    ['without a normalizer', { ...usable, normalizer: null }, /normalizer/],
    ['with other words', { ...usable, pre_tokenizer: { type: 'Metaspace' } }, /Metaspace/],
    ['without a vocabulary', { ...usable, model: { type: 'WordPiece' } }, /vocabulary/],
    ['that is no tokenizer', {}, /WordPiece/],
  ])('%s is refused, with what to do instead', async (_, file, problem) => {
    const path = join(folder, 'tokenizer.json');
    await writeFile(path, JSON.stringify(file));
    const opening = openTokenizer({ kind: 'file', path });
    await expect(opening).rejects.toThrow(ModelMismatch);
    await expect(opening).rejects.toThrow(problem);
    await expect(opening).rejects.toThrow(/approximate/);
  });

  it('that is missing is refused by its path', async () => {
    await expect(openTokenizer({ kind: 'file', path: join(folder, 'none.json') })).rejects.toThrow(/none\.json/);
  });
});

describe('the approximate tokenizer', () => {
  it.each([
    'The backup runs every night at two, and nobody has to be awake for it.',
    'Die Größe der Übung überrascht die Donaudampfschifffahrtsgesellschaft.',
    '日本語の文章はこうなります。',
    'const token = await fetch(`${base}/v2/embed?limit=128`, { headers });',
    'Привет, мир! Это длинное предложение.',
    'emoji 👩‍👩‍👧‍👦 and 3.14159 and 0xdeadbeef',
  ])('counts no fewer tokens than BERT: %s', async (text) => {
    const { tokenizer } = await openTokenizer({ kind: 'bge' });
    expect(approximateTokenizer.count(text)).toBeGreaterThanOrEqual(tokenizer.count(text));
  });

  it('gives starts that ascend, lie in the text, never split a surrogate pair, and are as many as it counts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const starts = [...approximateTokenizer.starts(text)];
        expect(starts).toHaveLength(approximateTokenizer.count(text));
        starts.forEach((start, i) => {
          expect(start).toBeGreaterThan(starts[i - 1] ?? -1);
          expect(start).toBeLessThan(text.length);
          expect(start > 0 && /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(start - 1, start + 1))).toBe(false);
        });
      }),
    );
  });

  it('adds up at white space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        const count = (text: string): number => approximateTokenizer.count(text);
        expect(count(`${a} ${b}`)).toBe(count(a) + count(b));
      }),
    );
  });
});
