import { describe, expect, it } from 'vitest';
import type { DocumentId } from '../../schemas/ids.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import {
  aRemove,
  aReplace,
  aScope,
  aTouch,
  aVector,
  anAdvance,
  anId,
  freshStores,
  kinds,
  LINEAGE,
  visible,
} from './document-fixtures.ts';
import type { DocumentStore, DocumentWrite } from './document-store.ts';
import { positionsConformance } from './positions.conformance.ts';
import { removeBelowConformance } from './remove-below.conformance.ts';
import { searchConformance } from './search.conformance.ts';
import { versionsConformance } from './versions.conformance.ts';

/** A fresh, empty store for vectors of `DIMENSIONS`. */
export type OpenStore = () => Promise<DocumentStore>;

/** What every document store must do. */
export function documentStoreConformance(name: string, open: OpenStore): void {
  versionsConformance(name, open);
  searchConformance(name, open);
  positionsConformance(name, open);
  removeBelowConformance(name, open);

  describe(`document store: ${name}`, () => {
    const fresh = freshStores(open);

    describe('read', () => {
      it('returns a document as it was written, with its passages and vectors', async () => {
        const write = aReplace({
          id: anId('a/ü,1'),
          version: 7n,
          title: 'Ünïcödé',
          acl: ['staff', 'admins'],
          metadata: { category: 'x', count: 3, flag: true, tags: ['a', 'b'], none: null },
          position: '16/B374D848',
          passages: ['first passage', 'second passage'],
          headings: ['One', 'Two'],
          vectors: [aVector(0), undefined],
        });
        const store = await fresh(write);
        const [found] = await store.read([write.document.id], { vectors: true });
        const { indexedAt, ...rest } = found!;
        expect(indexedAt).toBeGreaterThan(0);
        expect(rest).toEqual({
          id: write.document.id,
          version: 7n,
          deleted: false,
          source: write.document.source,
          tenant: 'acme',
          acl: ['staff', 'admins'],
          title: 'Ünïcödé',
          text: 'first passage\n\nsecond passage',
          metadata: write.document.metadata,
          position: '16/B374D848',
          committedAt: 1_000,
          contentHash: write.contentHash,
          lineage: LINEAGE,
          passages: [
            { ...write.passages[0], vector: aVector(0), hasVector: true },
            { ...write.passages[1], vector: undefined, hasVector: false },
          ],
        });
      });

      it('leaves vectors out unless they are asked for, and still tells which passages have one', async () => {
        const store = await fresh(aReplace());
        const [found] = await store.read([anId('1')]);
        expect(found?.passages).toMatchObject([{ vector: undefined, hasVector: true }]);
      });

      it('keeps every text as it is, whatever characters it holds', async () => {
        const texts = ['NUL \0 inside', 'half a pair \ud83d here', '😀 – “quotes” 漢字', '\u00ff latin', ' \r\n\t', ''];
        const writes = texts.map((text, i) =>
          aReplace({
            id: anId(String(i)),
            title: text,
            passages: [text, 'tail'],
            headings: [text],
            metadata: { text },
          }),
        );
        const store = await fresh(...writes);
        const found = await store.read(writes.map(({ document }) => document.id));
        expect(found.map((one) => [one?.title, one?.passages[0]?.text, one?.text, one?.metadata['text']])).toEqual(
          texts.map((text) => [text, text, `${text}\n\ntail`, text]),
        );
        expect(found.map((one) => one?.passages[0]?.headings[0])).toEqual(texts);
      });

      it('answers in the order asked, undefined for what was never written', async () => {
        const store = await fresh(aReplace({ id: anId('a') }), aReplace({ id: anId('b') }));
        const asked = [anId('b'), anId('missing'), anId('a'), anId('b'), `${anId('a')}\0` as DocumentId];
        const found = await store.read(asked);
        expect(found.map((one) => one?.id)).toEqual([anId('b'), undefined, anId('a'), anId('b'), undefined]);
      });

      it('shows a removed document as a tombstone without text', async () => {
        const store = await fresh(aReplace({ title: 'secret', metadata: { a: 'secret' } }), aRemove());
        const [found] = await store.read([anId('1')]);
        expect(found).toMatchObject({ deleted: true, version: 2n, title: '', text: '', metadata: {}, passages: [] });
      });
    });

    describe('write', () => {
      it('says of every write what became of it, in order', async () => {
        const store = await fresh(aReplace({ version: 5n }));
        const outcomes = await store.write([
          aReplace({ version: 4n }),
          aReplace({ version: 6n }),
          aRemove(anId('2'), 1n),
          aRemove(anId('1'), 6n),
        ]);
        expect(outcomes).toEqual([
          { kind: 'stale', version: 5n },
          { kind: 'applied' },
          { kind: 'applied' },
          { kind: 'stale', version: 6n },
        ]);
      });

      it('takes a repeated call for stale, and changes nothing', async () => {
        const writes = [aReplace({ version: 5n }), aRemove(anId('2'), 1n), anAdvance('0/1')];
        const store = await fresh(...writes);
        const before = [await store.read([anId('1'), anId('2')]), await store.progress()];
        expect(kinds(await store.write(writes))).toEqual(['stale', 'stale', 'stale']);
        expect([await store.read([anId('1'), anId('2')]), await store.progress()]).toEqual(before);
      });

      it('refuses a document that it cannot store, and takes its neighbours', async () => {
        const store = await fresh();
        const outcomes = await store.write([
          aReplace({ id: anId('1') }),
          aReplace({ id: anId('2'), vectors: [new Float32Array(3)] }),
          aReplace({ id: anId('3'), vectors: [Float32Array.of(NaN, 0, 0, 0)] }),
          aReplace({ id: anId('4'), tenant: '' }),
          aReplace({ id: anId('4'), tenant: 'acme\0evil' }),
          aReplace({ id: 'no id' as DocumentId }),
          aReplace({ id: anId('5') }),
        ]);
        expect(kinds(outcomes)).toEqual(['applied', ...Array.from(outcomes.slice(2), () => 'refused'), 'applied']);
        const errors = outcomes.flatMap((outcome) => (outcome.kind === 'refused' ? [outcome.error] : []));
        expect(errors.map((error) => 'code' in error && error.code)).toEqual([
          'FRESHET_EMBEDDING_INVALID',
          'FRESHET_EMBEDDING_INVALID',
          'FRESHET_DOCUMENT_REFUSED',
          'FRESHET_DOCUMENT_REFUSED',
          'FRESHET_DOCUMENT_REFUSED',
        ]);
        expect(await visible(store, aScope())).toEqual(['1', '5']);
      });

      it('takes more than one transaction holds, in order', async () => {
        const store = await fresh();
        const passages = Array.from({ length: 20 }, (_, i) => `passage number ${i}`);
        const writes = Array.from({ length: 120 }, (_, i) =>
          aReplace({ id: anId(String(i % 60)), version: BigInt(1 + Math.floor(i / 60)), passages }),
        );
        expect(kinds(await store.write(writes))).toEqual(writes.map(() => 'applied'));
        const progress = await store.progress();
        expect(progress).toMatchObject({ passages: 1_200, passagesWithVector: 1_200 });
      });

      it('applies calls one after the other, also when they are not awaited', async () => {
        const store = await fresh();
        const calls = Array.from({ length: 10 }, (_, i) =>
          store.write([aReplace({ version: BigInt(i + 1), title: `v${i}` })]),
        );
        expect((await Promise.all(calls)).flat().map(({ kind }) => kind)).toEqual(calls.map(() => 'applied'));
        expect((await store.read([anId('1')]))[0]?.title).toBe('v9');
      });

      it('leaves nothing of the former version behind', async () => {
        const store = await fresh(
          aReplace({ passages: ['alpha one', 'alpha two', 'alpha three'], acl: ['staff'], metadata: { a: 'x' } }),
          aReplace({ version: 2n, passages: ['beta one'], acl: ['admins'], metadata: { b: 'y' } }),
        );
        expect(await visible(store, aScope({ groups: ['staff'] }), 'beta')).toEqual([]);
        expect(await visible(store, aScope({ groups: ['admins'], filter: { a: 'x' } }), 'beta')).toEqual([]);
        const { lexical, dense } = await store.search({
          scope: aScope({ groups: ['admins'] }),
          lexical: { text: 'alpha beta', depth: 10 },
          dense: { vector: aVector(1), depth: 10 },
        });
        expect([lexical, dense].map((hits) => hits.map(({ passage }) => passage.text))).toEqual([
          ['beta one'],
          ['beta one'],
        ]);
      });
    });

    describe('touch', () => {
      it('moves a document with the same content to a newer version, and keeps its passages', async () => {
        const write = aReplace({ version: 1n });
        const store = await fresh(write);
        expect(await store.write([aTouch(write, 3n)])).toEqual([{ kind: 'applied' }]);
        const [found] = await store.read([anId('1')]);
        expect(found).toMatchObject({
          version: 3n,
          position: '0/9',
          committedAt: 9_000,
          passages: [{ hasVector: true }],
        });
        expect(await store.write([aReplace({ version: 2n, title: 'late' })])).toEqual([{ kind: 'stale', version: 3n }]);
      });

      it('is stale where the content is another, unknown or removed', async () => {
        const store = await fresh(aReplace(), aReplace({ id: anId('2') }), aRemove(anId('2')));
        const other = aReplace({ title: 'another' });
        const unknown = aReplace({ id: anId('3') });
        const removed = aReplace({ id: anId('2') });
        expect(await store.write([aTouch(other, 5n), aTouch(unknown, 5n), aTouch(removed, 5n)])).toEqual([
          { kind: 'stale', version: 1n },
          { kind: 'stale', version: 0n },
          { kind: 'stale', version: 2n },
        ]);
      });

      it('is stale where the version is not newer', async () => {
        const write = aReplace({ version: 4n });
        const store = await fresh(write);
        expect(kinds(await store.write([aTouch(write, 4n), aTouch(write, 3n)]))).toEqual(['stale', 'stale']);
      });
    });

    describe('attach-vectors', () => {
      const attach = (version: bigint, vectorKey = 'key second'): DocumentWrite => ({
        kind: 'attach-vectors',
        id: anId('1'),
        version: version as SourceVersion,
        vectors: [{ ordinal: 1, vectorKey, vector: aVector(2) }],
      });
      const half = aReplace({ passages: ['first', 'second'], vectors: [aVector(0), undefined] });

      it('fills in the vector of a passage', async () => {
        const store = await fresh(half, attach(1n));
        const [found] = await store.read([anId('1')], { vectors: true });
        expect(found?.passages.map(({ vector }) => vector)).toEqual([aVector(0), aVector(2)]);
        expect(await store.progress()).toMatchObject({ passages: 2, passagesWithVector: 2 });
        const { dense } = await store.search({ scope: aScope(), dense: { vector: aVector(2), depth: 1 } });
        expect(dense.map(({ passage }) => passage.text)).toEqual(['second']);
      });

      it('is stale at any other version, and for another text', async () => {
        const store = await fresh(half, aTouch(half, 2n));
        expect(kinds(await store.write([attach(1n), attach(3n), attach(2n, 'key of another text')]))).toEqual([
          'stale',
          'stale',
          'stale',
        ]);
        expect(await store.progress()).toMatchObject({ passagesWithVector: 1 });
      });

      it('counts a repeat once', async () => {
        const store = await fresh(half, attach(1n));
        expect(kinds(await store.write([attach(1n)]))).toEqual(['stale']);
        expect(await store.progress()).toMatchObject({ passagesWithVector: 2 });
      });
    });

    describe('vectors', () => {
      it('are found by key in any live document', async () => {
        const store = await fresh(
          aReplace({ id: anId('1'), tenant: 'acme', passages: ['one'], vectors: [aVector(1)] }),
          aReplace({ id: anId('2'), passages: ['two'], vectors: [undefined] }),
          aReplace({ id: anId('3'), passages: ['three'] }),
          aRemove(anId('3')),
        );
        expect(await store.vectors(['key two', 'key one', 'key three', 'key of nothing'])).toEqual([
          undefined,
          aVector(1),
          undefined,
          undefined,
        ]);
      });

      it('are found where one of several passages with the key has one', async () => {
        const store = await fresh(
          aReplace({ id: anId('1'), passages: ['same'], vectors: [undefined] }),
          aReplace({ id: anId('2'), passages: ['same'], vectors: [aVector(3)] }),
        );
        expect(await store.vectors(['key same'])).toEqual([aVector(3)]);
      });
    });

    describe('list', () => {
      it('pages through the documents in the order of their ids', async () => {
        const store = await fresh(...['d', 'b', 'a', 'c'].map((key) => aReplace({ id: anId(key) })));
        const first = await store.list({ limit: 3 });
        const second = await store.list({ limit: 3, after: first.at(-1)!.id });
        expect([first, second].map((page) => page.map(({ id }) => id))).toEqual([
          [anId('a'), anId('b'), anId('c')],
          [anId('d')],
        ]);
        expect(first[0]).toEqual({
          id: anId('a'),
          version: 1n,
          deleted: false,
          contentHash: aReplace({ id: anId('a') }).contentHash,
          passages: 1,
        });
      });

      it('keeps to a source, and to a table of it', async () => {
        const ids = [
          anId('1'),
          anId('2', 'public.notes'),
          anId('3', 'public.articles', 'crm'),
          anId('4', 'x', 'helpdesk2'),
        ];
        const store = await fresh(...ids.map((id) => aReplace({ id })));
        const listed = async (source: string, table?: string) =>
          (await store.list({ limit: 10, source, ...(table !== undefined && { table }) })).map(({ id }) => id);
        expect(await listed('helpdesk')).toEqual([ids[0], ids[1]]);
        expect(await listed('helpdesk', 'public.notes')).toEqual([ids[1]]);
        expect(await listed('nobody')).toEqual([]);
      });

      it('shows tombstones only when asked', async () => {
        const store = await fresh(aReplace({ id: anId('1') }), aReplace({ id: anId('2') }), aRemove(anId('1')));
        expect((await store.list({ limit: 10 })).map(({ id }) => id)).toEqual([anId('2')]);
        const all = await store.list({ limit: 10, includeDeleted: true });
        expect(all.map(({ id, deleted }) => [id, deleted])).toEqual([
          [anId('1'), true],
          [anId('2'), false],
        ]);
      });
    });
  });
}
