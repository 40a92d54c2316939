import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { MetadataValue } from '../../schemas/document.ts';
import type { Filter } from '../../schemas/query.ts';
import { aReplace, aScope, aVector, anId, visible, type ReplaceFields } from './document-fixtures.ts';
import type { OpenStore } from './document-store.conformance.ts';
import type { DocumentStore, Hit } from './document-store.ts';
import { fuseHits } from './fuse.ts';

/** What every document store must do when it is searched. */
export function searchConformance(name: string, open: OpenStore): void {
  describe(`search of a document store: ${name}`, () => {
    const opened: DocumentStore[] = [];
    /** A store with documents by key. */
    const holding = async (documents: { readonly [key: string]: ReplaceFields }): Promise<DocumentStore> => {
      const store = await open();
      opened.push(store);
      await store.write(Object.entries(documents).map(([key, fields]) => aReplace({ id: anId(key), ...fields })));
      return store;
    };
    const texts = (hits: readonly Hit[]): string[] => hits.map(({ passage }) => passage.text);
    const lexical = async (store: DocumentStore, text: string, depth = 10): Promise<string[]> =>
      texts((await store.search({ scope: aScope(), lexical: { text, depth } })).lexical);
    afterEach(async () => {
      for (const store of opened.splice(0)) await store[Symbol.asyncDispose]();
    });

    describe('scope', () => {
      it('a caller sees documents of the own tenant only', async () => {
        const store = await holding({ a: { tenant: 'acme' }, b: { tenant: 'acme2' }, c: { tenant: 'ACME' } });
        expect(await visible(store, aScope())).toEqual(['a']);
        expect(await visible(store, aScope({ tenant: 'nobody' }))).toEqual([]);
        expect(await visible(store, aScope({ tenant: '' }))).toEqual([]);
      });

      it('an ACL is for members of any group it lists; no ACL is for all of the tenant; an empty one is for nobody', async () => {
        const store = await holding({
          all: { acl: null },
          staff: { acl: ['staff'] },
          both: { acl: ['staff', 'admins'] },
          nobody: { acl: [] },
        });
        expect(await visible(store, aScope({ groups: [] }))).toEqual(['all']);
        expect(await visible(store, aScope({ groups: ['staff'] }))).toEqual(['all', 'both', 'staff']);
        expect(await visible(store, aScope({ groups: ['admins'] }))).toEqual(['all', 'both']);
        expect(await visible(store, aScope({ groups: ['others', 'admins'] }))).toEqual(['all', 'both']);
        expect(await visible(store, aScope({ tenant: 'other', groups: ['staff'] }))).toEqual([]);
      });

      it.each(['staf', 'staff ', 'STAFF', 'staff\0', '%', '*', "' OR 1=1 --", '', 'null'])(
        'the group %j is not the group staff',
        async (group) => {
          const store = await holding({ secret: { acl: ['staff'] } });
          expect(await visible(store, aScope({ groups: [group] }))).toEqual([]);
        },
      );

      it('a text that is not Unicode is never taken for another name', async () => {
        const store = await holding({ secret: { acl: ['a\ud800', 'staff'] } });
        expect(await visible(store, aScope({ groups: ['a\ud801'] }))).toEqual([]);
        expect(await visible(store, aScope({ groups: ['a\ufffd'] }))).toEqual([]);
        expect(await visible(store, aScope({ tenant: 'acme\ud800', groups: ['staff'] }))).toEqual([]);
        expect(await visible(store, aScope({ tenant: 'acme\0', groups: ['staff'] }))).toEqual([]);
      });

      it('many groups are no trouble', async () => {
        const store = await holding({ secret: { acl: ['group 999'] } });
        const groups = Array.from({ length: 1_000 }, (_, i) => `group ${i}`);
        expect(await visible(store, aScope({ groups }))).toEqual(['secret']);
      });

      it('what a caller may not see does not take up room in the reply', async () => {
        const hidden = Object.fromEntries(
          Array.from({ length: 50 }, (_, i) => [
            `hidden ${i}`,
            { acl: ['others'], passages: ['passage passage passage'] },
          ]),
        );
        const store = await holding({ ...hidden, seen: { passages: ['one passage among many words'] } });
        const { lexical: words, dense } = await store.search({
          scope: aScope(),
          lexical: { text: 'passage', depth: 1 },
          dense: { vector: aVector(0), depth: 1 },
        });
        expect([words, dense].map((hits) => hits.map(({ source }) => source.key))).toEqual([['seen'], ['seen']]);
      });
    });

    describe('filter', () => {
      const cases: [string, MetadataValue, Filter[string], boolean][] = [
        ['a value', 'x', 'x', true],
        ['another value', 'x', 'y', false],
        ['one of several', 'x', ['y', 'x'], true],
        ['none of several', 'x', ['y', 'z'], false],
        ['an element of a list', ['a', 'b'], 'b', true],
        ['no element of a list', ['a', 'b'], 'c', false],
        ['null', null, 'null', false],
        ['a number', 5, 5, true],
        ['a number written as text', '5.00', 5, true],
        ['another number', 5, 6, false],
        ['true', true, true, true],
        ['false for true', true, false, false],
        ['case', 'X', 'x', false],
        ['numbers as numbers, from', 10, { gte: 9 }, true],
        ['numbers as numbers, below', 10, { lt: 9 }, false],
        ['numbers in text as numbers', '10', { gte: 9, lt: 11 }, true],
        ['the lower bound itself', 9, { gte: 9 }, true],
        ['the upper bound itself', 9, { lt: 9 }, false],
        ['a date from', '2024-05-01', { gte: '2024-04-30' }, true],
        ['a date below', '2024-05-01', { lt: '2024-04-30' }, false],
        ['a time with a zone', '2024-05-01 00:30:00+02', { lt: '2024-05-01T00:00:00Z' }, true],
        ['a time with a zone, the other way', '2024-05-01 00:30:00-02', { lt: '2024-05-01T00:00:00Z' }, false],
        ['a time to the microsecond', '2024-05-01 00:00:00.000001+00', { gte: '2024-05-01T00:00:00.000Z' }, true],
        ['the same instant in another form', '2024-05-01 02:00:00+02', '2024-05-01T00:00:00Z', true],
        ['words in the order of characters', 'banana', { gte: 'apple', lt: 'cherry' }, true],
        ['a word that is no number', 'many', { gte: 5 }, false],
        ['a word that is no time', 'never', { gte: '2024-01-01' }, false],
        ['both bounds by one element of a list', ['1', '9'], { gte: 3, lt: 7 }, false],
        ['an empty list of values', 'x', [], false],
        ['a NUL', 'x\0y', 'x\0y', true],
        ['what stands before a NUL', 'x\0y', 'x', false],
        ['SQL', 'x', "x' OR '1'='1", false],
      ];
      it.each(cases)('%s: %j matches %j: %s', async (_name, value, wanted, matches) => {
        const store = await holding({ a: { metadata: { field: value, other: 'x' } } });
        expect(await visible(store, aScope({ filter: { field: wanted } }))).toEqual(matches ? ['a'] : []);
      });

      it('all conditions hold, and a field that a document lacks matches nothing', async () => {
        const store = await holding({ a: { metadata: { x: '1', y: '2' } }, b: { metadata: { x: '1' } } });
        expect(await visible(store, aScope({ filter: { x: '1' } }))).toEqual(['a', 'b']);
        expect(await visible(store, aScope({ filter: { x: '1', y: '2' } }))).toEqual(['a']);
        expect(await visible(store, aScope({ filter: { z: '1' } }))).toEqual([]);
        expect(await visible(store, aScope({ filter: { ['__proto__']: '1', x: '1' } }))).toEqual([]);
      });

      it('does not widen what the ACL allows', async () => {
        const store = await holding({ secret: { acl: ['staff'], metadata: { x: '1' } } });
        expect(await visible(store, aScope({ filter: { x: '1' } }))).toEqual([]);
      });
    });

    describe('words', () => {
      it('the passage that says more of the query comes first', async () => {
        const store = await holding({
          a: { passages: ['a fox runs', 'a fox and a hare run over the hill'] },
          b: { passages: ['nothing of the kind'] },
        });
        expect(await lexical(store, 'fox hare')).toEqual(['a fox and a hare run over the hill', 'a fox runs']);
      });

      it('words match in their other forms, whatever their case and accents', async () => {
        const store = await holding({ a: { passages: ['The Running foxes at the café'] } });
        for (const query of ['run', 'FOX', 'cafe', 'runs', 'café']) expect(await lexical(store, query)).toHaveLength(1);
      });

      it('titles and headings are searched, and count for more than text', async () => {
        const filler = 'some other words to fill the passage with';
        const store = await holding({
          text: { passages: [`invoice ${filler}`], title: filler },
          title: { passages: [`letter ${filler}`], title: 'Invoice' },
          heading: { passages: [`note ${filler}`], headings: ['Invoice'], title: filler },
        });
        const { lexical: hits } = await store.search({ scope: aScope(), lexical: { text: 'invoice', depth: 10 } });
        expect(hits.map(({ source }) => source.key).toSorted()).toEqual(['heading', 'text', 'title']);
        expect(hits.at(-1)?.source.key).toBe('text');
      });

      it.each([
        ['v1.13.0', 'fixed in v1.13.0 of the library', 'fixed in version 13'],
        ['bullmq.job.extendLock', 'the counter bullmq.job.extendlock grows', 'nothing of the sort'],
        ['foo_bar', 'call foo_bar first', 'call bar and foo'],
        ['#327', 'see #327 for the reason', 'see #3271 for the reason'],
        ['ERR-4711', 'it says ERR-4711', 'it says 4711 ERR'],
      ])('the identifier %s is found', async (query, wanted, other) => {
        const store = await holding({ a: { passages: [other] }, b: { passages: [wanted] } });
        expect((await lexical(store, query))[0]).toBe(wanted);
      });

      it('a text without blanks between its words is found by any of them', async () => {
        const store = await holding({
          a: { passages: ['黑豹队的防守只丢了308分'] },
          b: { passages: ['他的队友入选职业碗'] },
        });
        for (const query of ['防守', '黑豹队', '308分', '谁防守得最好?'])
          expect(await lexical(store, query)).toEqual(['黑豹队的防守只丢了308分']);
      });

      it.each([
        ['a query of stop words', 'what is the', 1],
        ['punctuation', '?!… --- ***', 0],
        ['nothing', '', 0],
        ['a quote', 'passage"', 1],
        ['operators', 'passage AND NOT (NEAR) ^ * : {', 1],
        ['a column', 'title: passage', 1],
        ['a NUL', 'passage\0', 1],
      ])('%s is taken as text', async (_name, query, found) => {
        const store = await holding({ a: { passages: ['this is the passage'] } });
        expect(await lexical(store, query)).toHaveLength(found);
      });

      it('no text is an error', async () => {
        const store = await holding({ a: {} });
        await fc.assert(
          fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (query) => {
            await lexical(store, query);
          }),
          { numRuns: 200 },
        );
      });

      it('a very long text is an ordinary query', async () => {
        const store = await holding({ a: {} });
        const query = `passage ${Array.from({ length: 5_000 }, (_, i) => `word${i}`).join(' ')}`;
        expect(await lexical(store, query)).toHaveLength(1);
      });
    });

    describe('vectors', () => {
      it('the nearest passage comes first, and the score falls', async () => {
        const store = await holding({
          a: { passages: ['near', 'nearer', 'far'], vectors: [aVector(0, 0.5), aVector(0, 0.1), aVector(2)] },
        });
        const { dense } = await store.search({ scope: aScope(), dense: { vector: aVector(0), depth: 10 } });
        expect(texts(dense)).toEqual(['nearer', 'near', 'far']);
        const scores = dense.map(({ score }) => score);
        expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      });

      it('a passage without its vector is found by words only', async () => {
        const store = await holding({ a: { passages: ['without one'], vectors: [undefined] } });
        const { lexical: words, dense } = await store.search({
          scope: aScope(),
          lexical: { text: 'without', depth: 10 },
          dense: { vector: aVector(0), depth: 10 },
        });
        expect([texts(words), texts(dense)]).toEqual([['without one'], []]);
      });

      it('a query of another size is an error', async () => {
        const store = await holding({ a: {} });
        const dense = { vector: new Float32Array(3), depth: 1 };
        await expect(store.search({ scope: aScope(), dense })).rejects.toMatchObject({
          code: 'FRESHET_EMBEDDING_INVALID',
        });
      });
    });

    describe('the best of both legs', () => {
      it('are what fusing the legs gives, each hit whole, wherever it was found', async () => {
        const texts = ['passage one', 'passage two of words', 'words', 'nothing of it', 'passage passage words'];
        const documents = Object.fromEntries(
          texts.map((text, i) => [
            `d${i}`,
            { passages: [text, `${text} again`], vectors: [i === 2 ? undefined : aVector(i, 0.3), aVector(4 - i)] },
          ]),
        );
        const store = await holding(documents);
        const fusion = { weights: { lexical: 1, dense: 0.8 }, count: 4 };
        const lexical = { text: 'passage words', depth: 20 };
        const dense = { vector: aVector(1, 0.5), depth: 20 };
        for (const legs of [{ lexical, dense }, { lexical }, { dense }, {}]) {
          const query = { scope: aScope(), ...legs };
          const whole = (hits: readonly Hit[]) => hits.map(({ score: _score, ...hit }) => hit);
          const best = await store.best(query, fusion);
          expect(whole(best)).toEqual(whole(fuseHits(await store.search(query), fusion)));
          expect(best).toHaveLength(Object.keys(legs).length === 0 ? 0 : 4);
        }
        await expect(
          store.best({ scope: aScope(), dense: { vector: new Float32Array(3), depth: 1 } }, fusion),
        ).rejects.toMatchObject({ code: 'FRESHET_EMBEDDING_INVALID' });
      });

      it('hold nothing that the caller may not see', async () => {
        const store = await holding({ open: { acl: null }, closed: { acl: ['staff'] } });
        const query = {
          scope: aScope(),
          lexical: { text: 'passage', depth: 9 },
          dense: { vector: aVector(0), depth: 9 },
        };
        const best = await store.best(query, { weights: { lexical: 1, dense: 1 }, count: 9 });
        expect([...new Set(best.map(({ documentId }) => documentId))]).toEqual([anId('open')]);
      });
    });

    describe('replies', () => {
      it('hold what a result shows', async () => {
        const fields = {
          passages: ['first', 'second words'],
          headings: ['H'],
          title: 'T',
          metadata: { a: 1 },
          version: 4n,
        };
        const store = await holding({ k: fields });
        const write = aReplace({ id: anId('k'), ...fields });
        const { lexical: words } = await store.search({ scope: aScope(), lexical: { text: 'second', depth: 1 } });
        const { score, indexedAt, ...rest } = words[0]!;
        expect([typeof score, typeof indexedAt]).toEqual(['number', 'number']);
        expect(rest).toEqual({
          documentId: anId('k'),
          version: 4n,
          source: { name: 'helpdesk', table: 'public.articles', key: 'k' },
          title: 'T',
          metadata: { a: 1 },
          committedAt: 1_000,
          passage: write.passages[1],
          hasVector: write.vectors[1] !== undefined,
        });
      });

      it('hold at most as many hits per leg as were asked for, and only the legs that were', async () => {
        const store = await holding({ a: { passages: Array.from({ length: 9 }, (_, i) => `passage ${i}`) } });
        const dense = { vector: aVector(0), depth: 3 };
        const reply = await store.search({ scope: aScope(), lexical: { text: 'passage', depth: 5 }, dense });
        expect([reply.lexical.length, reply.dense.length]).toEqual([5, 3]);
        expect((await store.search({ scope: aScope(), dense })).lexical).toEqual([]);
      });

      it('have one version of a document in both legs, whatever is written meanwhile', async () => {
        const store = await holding({ a: {} });
        let version = 1n;
        const writing = (async () => {
          while (version < 60n) await store.write([aReplace({ id: anId('a'), version: ++version })]);
        })();
        while (version < 60n) {
          const { lexical: words, dense } = await store.search({
            scope: aScope(),
            lexical: { text: 'passage', depth: 5 },
            dense: { vector: aVector(0), depth: 5 },
          });
          expect(words[0]?.version).toBe(dense[0]?.version);
          await new Promise(setImmediate);
        }
        await writing;
      });
    });
  });
}
