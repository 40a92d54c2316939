import { describe, expect, it } from 'vitest';
import { wordTokenizer } from '../../ports/embedder/word-tokenizer.ts';
import { chunkText, type ChunkOptions } from './chunk-text.ts';

const options = (changes: Partial<ChunkOptions> = {}): ChunkOptions => ({
  maxTokens: 30,
  overlapTokens: 0,
  tokenizer: wordTokenizer,
  ...changes,
});
const words = (count: number, word = 'word'): string => `${Array.from({ length: count }, () => word).join(' ')}.`;

function passages(text: string, format: 'text' | 'markdown', changes: Partial<ChunkOptions> = {}) {
  return chunkText(text, format, options(changes)).map((span) => ({
    text: text.slice(span.start, span.end),
    headings: span.headings,
    tokens: span.tokens,
  }));
}

describe('chunkText', () => {
  it('makes one passage of a text that fits', () => {
    expect(passages('  One sentence. Another.\n', 'text')).toEqual([
      { text: 'One sentence. Another.', headings: [], tokens: 5 },
    ]);
  });

  it.each(['', ' \n\t \u00a0 \n'])('makes no passage of nothing', (text) => {
    expect(chunkText(text, 'markdown', options())).toEqual([]);
  });

  it('cuts at headings whose sections are large enough, and names the headings above', () => {
    const text = `# Guide\n\n## Install\n\n${words(20)}\n\n## Use\n\n${words(20)}\n\n### Deep\n\n${words(20)}`;
    expect(passages(text, 'markdown').map((passage) => [passage.text.split('\n')[0], passage.headings])).toEqual([
      ['# Guide', []],
      ['## Use', ['Guide']],
      ['### Deep', ['Guide', 'Use']],
    ]);
  });

  it('keeps a small section together with its neighbour', () => {
    const text = `# Guide\n\n## A\n\nShort.\n\n## B\n\n${words(12)}`;
    expect(passages(text, 'markdown')).toHaveLength(1);
  });

  it('prefers the border of paragraphs to that of sentences', () => {
    const text = `${words(8)} ${words(8)}\n\n${words(8)} ${words(8)}`;
    expect(passages(text, 'text').map((passage) => passage.text)).toEqual(text.split('\n\n'));
  });

  it('repeats whole sentences when it cuts inside a paragraph, and none at its border', () => {
    const inside = Array.from({ length: 40 }, (_, i) => words(7, `W${i}`)).join(' ');
    const spans = chunkText(inside, 'text', options({ maxTokens: 60, overlapTokens: 10 }));
    const repeated = spans.slice(1).map((span, i) => inside.slice(span.start, spans[i]!.end));
    expect(repeated.filter((text) => text !== '').length).toBeGreaterThan(spans.length / 2);
    for (const text of repeated) expect(text).toMatch(/^((W\d+ ){6}W\d+\.)?$/);
    const across = `${words(20, 'a')}\n\n${words(20, 'b')}`;
    expect(passages(across, 'text', { overlapTokens: 25 }).map(({ text }) => text)).toEqual(across.split('\n\n'));
  });

  it('gives a part of a table its header row', () => {
    const rows = Array.from({ length: 12 }, (_, i) => `| item ${i} | ${i} |`).join('\n');
    const [first, ...others] = passages(`## Prices\n\n| name | price |\n|---|---|\n${rows}`, 'markdown');
    expect(first?.headings).toEqual([]);
    expect(others.length).toBeGreaterThan(0);
    for (const other of others) expect(other.headings).toEqual(['Prices', '| name | price |']);
  });

  it('cuts code at lines and prefers blank ones', () => {
    const part = (name: string): string => `function ${name}() {\n  return 1;\n}`;
    const text = `\`\`\`js\n${part('a')}\n\n${part('b')}\n\n${part('c')}\n\`\`\``;
    for (const { text: passage } of passages(text, 'markdown').slice(1)) expect(passage).toMatch(/^function/);
  });

  it('cuts a sentence that is too long between words, and a word that is too long between characters', () => {
    for (const text of [words(100), 'x'.repeat(5_000), '👩‍👩‍👧‍👦'.repeat(500)]) {
      const spans = chunkText(text, 'text', options());
      expect(spans.length).toBeGreaterThan(1);
      for (const { start, end } of spans) {
        const passage = text.slice(start, end);
        expect(passage).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
        expect(passage).not.toMatch(/^\u200d|\u200d$/);
        expect(passage.length).toBeLessThanOrEqual(30 * 16);
      }
    }
  });

  it('fills passages of prose to more than half', () => {
    const text = Array.from({ length: 400 }, (_, i) => words(5 + ((i * 7) % 11), `w${i}`)).join(' ');
    const spans = chunkText(text, 'text', options({ maxTokens: 100 }));
    const mean = spans.reduce((sum, span) => sum + span.tokens, 0) / spans.length;
    expect(mean).toBeGreaterThan(55);
  });
});
