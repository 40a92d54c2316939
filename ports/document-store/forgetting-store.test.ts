import { expect, test } from 'vitest';
import { aDocument, articleId, never, version } from '../../test/support/builders.ts';
import { documentTag, tableTag, tagsOfDocument } from '../cache/document-tags.ts';
import type { DocumentStore, DocumentWrite } from './document-store.ts';
import { forgettingStore } from './forgetting-store.ts';

const head = { version: version(10), source: { name: 'help', table: 'public.articles', key: '1' }, committedAt: 1 };
const WRITES: readonly DocumentWrite[] = [
  {
    kind: 'replace',
    document: aDocument({ key: 'replaced' }),
    text: '',
    passages: [],
    vectors: [],
    lineage: { chunker: '', piiPolicy: '', embedder: '' },
    contentHash: '',
  },
  { kind: 'remove', id: articleId('removed'), ...head },
  { kind: 'touch', id: articleId('touched'), ...head, contentHash: '', position: '' },
  { kind: 'attach-vectors', id: articleId('attached'), version: version(10), vectors: [] },
  { kind: 'remove-below', source: 'help', table: 'public.articles', version: version(10), lane: 'a', lanes: 1 },
];

/** A store of which only `write` is asked, and the tags that were forgotten, in order with it. */
function rig(write: DocumentStore['write']) {
  const told: (string | readonly string[])[] = [];
  const inner = {
    write: async (...call: Parameters<DocumentStore['write']>) => {
      const outcome = await write(...call);
      told.push('written');
      return outcome;
    },
  } as unknown as DocumentStore;
  const store = forgettingStore(inner, { deleteTagged: async (tags) => void told.push(tags) });
  return { store, told };
}

const EXPECTED = [
  documentTag(articleId('replaced')),
  documentTag(articleId('removed')),
  documentTag(articleId('touched')),
  tableTag('help', 'public.articles'),
];

test('tells the cache after the write, of every document that it changes, stale ones too', async () => {
  const { store, told } = rig(async (writes) => writes.map(() => ({ kind: 'stale', version: version(10) })));
  await store.write(WRITES, never);
  expect(told).toEqual(['written', EXPECTED]);
});

test('tells the cache of a write that failed, because some of it may have been applied', async () => {
  const { store, told } = rig(() => Promise.reject(new Error('half-way')));
  await expect(store.write(WRITES, never)).rejects.toThrow('half-way');
  expect(told).toEqual([EXPECTED]);
});

test('tells nothing of vectors and positions', async () => {
  const { store, told } = rig(async () => []);
  await store.write([WRITES[3]!], never);
  expect(told).toEqual(['written']);
});

test('what is made from a document goes with the range that its table loses', () => {
  expect(tagsOfDocument(articleId('a/b,c'))).toContain(tableTag('help', 'public.articles'));
});
