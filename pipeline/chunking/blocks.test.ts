import { describe, expect, it } from 'vitest';
import { parseBlocks } from './blocks.ts';

const kinds = (text: string, format: 'text' | 'markdown' = 'markdown'): [string, string][] =>
  parseBlocks(text, format).map((block) => [block.kind, text.slice(block.start, block.end)]);

describe('parseBlocks of Markdown', () => {
  it('reads ATX headings with their level and title', () => {
    const [first, second, third] = parseBlocks('# One #\n### Three `x`\n#no heading', 'markdown');
    expect(first).toMatchObject({ kind: 'heading', level: 1, title: 'One' });
    expect(second).toMatchObject({ kind: 'heading', level: 3, title: 'Three `x`' });
    expect(third).toMatchObject({ kind: 'paragraph' });
  });

  it('reads setext headings, and a rule where no paragraph is above', () => {
    expect(parseBlocks('Title\n=====\n\nSub\n---\n\n---\n', 'markdown')).toMatchObject([
      { kind: 'heading', level: 1, title: 'Title' },
      { kind: 'heading', level: 2, title: 'Sub' },
      { kind: 'rule' },
    ]);
  });

  it('keeps headings, lists and blank lines inside a fence as code', () => {
    expect(kinds('```sh\n# comment\n\n- item\n```\nafter')).toEqual([
      ['code', '```sh\n# comment\n\n- item\n```'],
      ['paragraph', 'after'],
    ]);
  });

  it('closes a fence only with as many marks of its kind', () => {
    expect(kinds('````\n```\n~~~~\n````\nafter').map(([kind]) => kind)).toEqual(['code', 'paragraph']);
  });

  it('takes an unclosed fence to the end of the text', () => {
    expect(kinds('```\na\n\nb')).toEqual([['code', '```\na\n\nb']]);
  });

  it('reads a table with its header row as title', () => {
    const text = 'before\n| name | price |\n|---|:-:|\n| a | 1 |\n\nafter';
    expect(kinds(text).map(([kind]) => kind)).toEqual(['paragraph', 'table', 'paragraph']);
    expect(parseBlocks(text, 'markdown')[1]?.title).toBe('| name | price |');
  });

  it('does not take a line with a pipe for a table', () => {
    expect(kinds('a | b\nc | d')).toEqual([['paragraph', 'a | b\nc | d']]);
  });

  it('makes a block of every list item, with its continued lines', () => {
    expect(kinds('- one\n  more\n- two\n\n1. three\n2) four')).toEqual([
      ['list-item', '- one\n  more'],
      ['list-item', '- two'],
      ['list-item', '1. three'],
      ['list-item', '2) four'],
    ]);
  });

  it('reads indented code, but not inside a list', () => {
    expect(kinds('text\n\n    code\n\n    more\n\nend').map(([kind]) => kind)).toEqual([
      'paragraph',
      'code',
      'paragraph',
    ]);
    expect(kinds('- item\n\n    continued').map(([kind]) => kind)).toEqual(['list-item', 'paragraph']);
  });

  it('keeps front matter as one block', () => {
    expect(kinds('---\ntitle: x\n---\n# Head').map(([kind]) => kind)).toEqual(['front-matter', 'heading']);
    expect(kinds('---\nno end').map(([kind]) => kind)).toEqual(['rule', 'paragraph']);
  });

  it('reads Windows line ends like others', () => {
    expect(kinds('# A\r\n\r\ntext\r\nmore\r\n')).toEqual([
      ['heading', '# A'],
      ['paragraph', 'text\r\nmore'],
    ]);
  });

  it('keeps quoted lines together', () => {
    expect(kinds('> a\n> b\n\nc').map(([kind]) => kind)).toEqual(['quote', 'paragraph']);
  });
});

describe('parseBlocks of plain text', () => {
  it('knows paragraphs and list items only', () => {
    expect(kinds('# no heading\nsame\n\n- item\n```\ncode', 'text')).toEqual([
      ['paragraph', '# no heading\nsame'],
      ['list-item', '- item\n```\ncode'],
    ]);
  });
});
