import { expect, it } from 'vitest';
import { wordTokenizer } from '../../ports/embedder/word-tokenizer.ts';
import { ChunkingFailed } from '../../runtime/errors.ts';
import type { Document } from '../../schemas/document.ts';
import { documentId } from '../../schemas/ids.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { chunk } from './chunk.ts';

const options = { maxTokens: 40, overlapTokens: 8, tokenizer: wordTokenizer, fingerprint: 'model-1' };

function aDocument(changes: Partial<Document> = {}): Document {
  return {
    kind: 'document',
    id: documentId({ source: 'helpdesk', table: 'public.articles', key: ['7'] }),
    version: 1n as SourceVersion,
    source: { name: 'helpdesk', table: 'public.articles', key: '7' },
    position: '0/1',
    committedAt: 0,
    tenant: 'acme',
    acl: null,
    title: 'Backups',
    parts: [
      { name: 'summary', text: 'What is backed up.' },
      { name: 'body', text: 'Every night at two. Kept for a month.' },
    ],
    bodyFormat: 'text',
    metadata: {},
    ...changes,
  };
}

it('passages are spans of the text that is returned, numbered in reading order', () => {
  const body = Array.from({ length: 20 }, (_, i) => `Sentence number ${i} says something of its own here.`).join(' ');
  const { text, passages } = chunk(aDocument({ parts: [{ name: 'body', text: body }] }), options);
  expect(passages.length).toBeGreaterThan(2);
  passages.forEach((passage, i) => {
    expect(passage).toMatchObject({ ordinal: i, id: `helpdesk/public.articles/7#${i}` });
    expect(passage.text).toBe(text.slice(passage.start, passage.end));
    expect(passage.tokens).toBe(wordTokenizer.count(passage.text));
  });
});

it('the parts of the body are joined by a blank line', () => {
  expect(chunk(aDocument(), options).text).toBe('What is backed up.\n\nEvery night at two. Kept for a month.');
});

it('a document with a title and no text has one empty passage, one with neither has none', () => {
  const untitled = aDocument({ title: ' ', parts: [{ name: 'body', text: ' \n' }] });
  expect(chunk(untitled, options).passages).toEqual([]);
  expect(chunk({ ...untitled, title: 'Backups' }, options).passages).toMatchObject([{ start: 0, end: 0, text: '' }]);
});

it('unchanged passages keep their vector key, also after a change of metadata, tenant, permissions or version', () => {
  const keys = (document: Document): string[] => chunk(document, options).passages.map((passage) => passage.vectorKey);
  const before = keys(aDocument());
  expect(
    keys(aDocument({ version: 9n as SourceVersion, tenant: 'other', acl: ['staff'], metadata: { category: 'x' } })),
  ).toEqual(before);
  expect(keys(aDocument({ title: 'Restores' }))).not.toEqual(before);
});

it('another model gives other vector keys', () => {
  const [one] = chunk(aDocument(), options).passages;
  const [other] = chunk(aDocument(), { ...options, fingerprint: 'model-2' }).passages;
  expect(other?.vectorKey).not.toBe(one?.vectorKey);
});

it('HTML is read as text with its headings', () => {
  const html = `<h1>Backup</h1><p>${'Every night at two it runs. '.repeat(4)}</p><h1>Restore</h1><p>${'Ask for it first. '.repeat(8)}</p>`;
  const { passages } = chunk(aDocument({ bodyFormat: 'html', parts: [{ name: 'body', text: html }] }), options);
  expect(passages.map((passage) => passage.text.split('\n')[0])).toContain('# Restore');
});

it('what fails is an error of the chunker that does not hold the text', () => {
  const tokenizer = {
    count: () => 0,
    starts: (text: string): Uint32Array => {
      throw new Error(`cannot read ${text}`);
    },
  };
  const failing = (): unknown => chunk(aDocument(), { ...options, tokenizer });
  expect(failing).toThrow(ChunkingFailed);
  expect(failing).not.toThrow(/backed up/);
});
