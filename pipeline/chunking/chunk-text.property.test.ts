import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { WordPieceTokenizer, type WordPieceFile } from '../../ports/onnx/wordpiece.ts';
import { chunkText, type ChunkOptions, type PassageSpan } from './chunk-text.ts';

const { tokenizer } = hashEmbedder();
const vocabulary = new URL('../../models/bge-small-en-v1.5-int8/tokenizer.json', import.meta.url);
const wordPiece = new WordPieceTokenizer(JSON.parse(readFileSync(vocabulary, 'utf8')) as WordPieceFile);
const FORMATS = ['text', 'markdown'] as const;

/** Lines that look like every block there is, and some that look like none. */
const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '# One',
    '## Two ##',
    '###### Six',
    'Set\n---',
    '```',
    '~~~ js',
    '---',
    '| a | b |',
    '|---|---|',
  ),
  fc.constantFrom(
    '- item',
    '  1. nested',
    '> quote',
    '    code',
    'e.g. this.',
    '今天很好。明天呢？',
    'x'.repeat(700),
    '\r',
  ),
  fc.lorem({ mode: 'sentences', maxCount: 6 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const anyText = fc.array(line, { maxLength: 40 }).map((lines) => lines.join('\n'));
const anyOptions = fc.record({
  // The config allows no less than 16; a single character may be several tokens.
  maxTokens: fc.integer({ min: 16, max: 60 }),
  overlapTokens: fc.integer({ min: 0, max: 30 }),
  tokenizer: fc.constantFrom(tokenizer, wordPiece),
});

describe('chunkText, whatever the text', () => {
  it('puts every character that is not white into a passage, in reading order, within the budget, counted right', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...FORMATS), anyOptions, (text, format, options) => {
        let covered = 0;
        let last = -1;
        for (const span of chunkText(text, format, options)) {
          const passage = text.slice(span.start, span.end);
          expect(text.slice(covered, Math.max(covered, span.start)).trim()).toBe('');
          expect(span.start).toBeGreaterThan(last);
          expect(span.end).toBeGreaterThan(covered);
          expect(passage).toBe(passage.trim());
          expect(span.tokens).toBe(options.tokenizer.count(passage));
          expect(span.tokens).toBeLessThanOrEqual(options.maxTokens);
          covered = span.end;
          last = span.start;
        }
        expect(text.slice(covered).trim()).toBe('');
      }),
      { numRuns: 500 },
    );
  });

  it('never cuts a surrogate pair', () => {
    const pairs = fc.string({ unit: fc.constantFrom('👩', '\u200d', '🇩', '𠀀', 'e\u0301', ' '), maxLength: 300 });
    fc.assert(
      fc.property(pairs, anyOptions, (text, options) => {
        for (const { start, end } of chunkText(text, 'text', options)) {
          expect(text.slice(start, end)).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
        }
      }),
    );
  });

  it('gives the same passages for the same text', () => {
    fc.assert(
      fc.property(anyText, anyOptions, (text, options) => {
        expect(chunkText(text, 'markdown', options)).toEqual(chunkText(text, 'markdown', options));
      }),
      { numRuns: 50 },
    );
  });
});

/** A generator of texts with a seed of its own, so that averages are the same in every run. */
function writer(seed: number) {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(random() * n);
  const sentence = (): string => {
    const words = Array.from({ length: 6 + below(28) }, () => `w${below(900)}`);
    return `S${words.join(' ')}.`;
  };
  return { random, below, sentence };
}

interface Draft {
  readonly sentences: readonly string[];
  readonly separators: readonly string[];
}
const render = ({ sentences, separators }: Draft): string =>
  sentences.map((sentence, i) => sentence + (separators[i] ?? ' ')).join('');

describe('chunkText after an edit of one sentence', () => {
  const options: ChunkOptions = { maxTokens: 220, overlapTokens: 24, tokenizer };
  const edits: Record<string, (sentence: string, write: ReturnType<typeof writer>) => string> = {
    'a changed word': (sentence, { below }) => {
      const words = sentence.split(' ');
      return words.with(1 + below(words.length - 2), `edited${below(1_000_000)}`).join(' ');
    },
    'a rewritten sentence': (_, { sentence }) => sentence(),
    'a sentence more': (before, { sentence }) => `${before} ${sentence()}`,
    'a sentence less': () => '',
  };
  // The bounds are what docs/adr/0005-chunker.md states, with room for the seed.
  it.each([
    ['paragraphs', 'a changed word', 1.15],
    ['paragraphs', 'a rewritten sentence', 1.35],
    ['paragraphs', 'a sentence more', 1.4],
    ['paragraphs', 'a sentence less', 1.35],
    ['no paragraphs', 'a changed word', 1.3],
    ['no paragraphs', 'a rewritten sentence', 1.55],
    ['no paragraphs', 'a sentence more', 1.55],
    ['no paragraphs', 'a sentence less', 1.45],
  ])('in a text of 200 passages with %s, %s changes at most %d passages on average', (kind, name, bound) => {
    const write = writer(42);
    const sentences = Array.from({ length: 1_250 }, () => write.sentence());
    const separators = sentences.map(() => (kind === 'paragraphs' && write.random() < 0.2 ? '\n\n' : ' '));
    const draft: Draft = { sentences, separators };
    const passages = (text: string): string[] =>
      chunkText(text, 'text', options).map((span: PassageSpan) => text.slice(span.start, span.end));
    const before = new Set(passages(render(draft)));
    expect(before.size).toBeGreaterThan(180);
    const runs = 200;
    let changed = 0;
    for (let run = 0; run < runs; run++) {
      const at = write.below(sentences.length);
      const edited = edits[name]!(sentences[at]!, write);
      changed += passages(render({ sentences: sentences.with(at, edited), separators })).filter(
        (passage) => !before.has(passage),
      ).length;
    }
    expect(changed / runs).toBeLessThanOrEqual(bound);
  });

  it('never reaches beyond the next large heading', () => {
    const write = writer(7);
    const section = (i: number): string =>
      `# Part ${i}\n\n${Array.from({ length: 30 }, () => write.sentence()).join(' ')}`;
    const sections = Array.from({ length: 6 }, (_, i) => section(i));
    const passages = (parts: readonly string[]): string[] => {
      const text = parts.join('\n\n');
      return chunkText(text, 'markdown', options).map((span) => text.slice(span.start, span.end));
    };
    const before = passages(sections);
    const after = passages(sections.with(2, section(99)));
    const untouched = before.filter((passage) => sections.some((part, i) => i !== 2 && part.includes(passage)));
    expect(after).toEqual(expect.arrayContaining(untouched));
    expect(untouched.length).toBeGreaterThan(before.length / 2);
  });
});

describe('chunkText on hostile text', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Characters looked at: every `charCodeAt` is one, every search and copy as many as it passes over. */
  function work(text: string, format: (typeof FORMATS)[number]): number {
    let count = 0;
    const native = <M extends (...args: never) => unknown>(name: string): M => Reflect.get(String.prototype, name) as M;
    const charCodeAt = native<(this: string, at: number) => number>('charCodeAt');
    const indexOf = native<(this: string, what: string, from: number) => number>('indexOf');
    const slice = native<(this: string, start?: number, end?: number) => string>('slice');
    vi.spyOn(String.prototype, 'charCodeAt').mockImplementation(function (this: string, at: number) {
      count++;
      return charCodeAt.call(this, at);
    });
    vi.spyOn(String.prototype, 'indexOf').mockImplementation(function (this: string, what: string, from = 0) {
      const found = indexOf.call(this, what, from);
      count += (found < 0 ? this.length : found) - from;
      return found;
    });
    vi.spyOn(String.prototype, 'slice').mockImplementation(function (this: string, ...bounds) {
      const part = slice.apply(this, bounds);
      count += part.length;
      return part;
    });
    chunkText(text, format, { maxTokens: 220, overlapTokens: 24, tokenizer });
    vi.restoreAllMocks();
    return count;
  }

  it.each([
    ['backticks', '`'],
    ['brackets', '['],
    ['deep quotes', '>'],
    ['hashes', '#'],
    ['pipes', '|'],
    ['dashes', '-'],
    ['full stops', '.'],
    ['one long word', 'x'],
    ['line feeds', '\n'],
    ['fences that open and close', '```\n'],
    ['front matter that never ends', '--- \n'],
    ['headings', '# a\n'],
    ['headings that go down and up', '# a\n###### b\n### c\n'],
    ['table rows', '| a |\n'],
    ['tables that are none', '| a |\nb\n'],
    ['equal sentences', 'Same sentence again. '],
    ['abbreviations', 'e.g. '],
    ['setext underlines', 'a\n===\n'],
    ['joined emoji', '👩\u200d'],
    ['equal rows of code', '    row;\n'],
  ])('%s: twice the text is at most 2.3 times the work', (_, part) => {
    for (const format of FORMATS) {
      const text = part.repeat(Math.ceil(8_000 / part.length));
      expect(work(text + text, format)).toBeLessThanOrEqual(2.3 * work(text, format) + 1_000);
    }
  });

  it('cuts a megabyte on one line into passages of bounded length', () => {
    for (const text of ['x'.repeat(1_000_000), 'ab '.repeat(333_333), '['.repeat(1_000_000)]) {
      const spans = chunkText(text, 'markdown', { maxTokens: 220, overlapTokens: 24, tokenizer });
      expect(Math.max(...spans.map(({ start, end }) => end - start))).toBeLessThanOrEqual(220 * 16);
    }
  });
});
