import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reranker } from './reranker.ts';

const QUERY = 'when does the nightly backup run';
const GOOD = 'The nightly backup does run at two in the morning.';
const TEXTS = [
  'Whisk three eggs into the flour.',
  GOOD,
  '',
  '   \n\t ',
  'Eine Zeile mit Umlauten: Größe, Übung.',
  'emoji 👩‍👩‍👧‍👦 and a lone surrogate \ud800',
  'word '.repeat(5_000),
] as const;
/** Longer than anything here takes, ms. */
const timeoutMs = 30_000;

/** The meaning of the port `reranker`, for every adapter. */
export function rerankerConformance(name: string, open: () => Promise<Reranker> | Reranker): void {
  describe(`reranker: ${name}`, () => {
    const signal = new AbortController().signal;
    let reranker: Reranker;
    beforeAll(async () => {
      reranker = await open();
    });
    afterAll(() => reranker[Symbol.asyncDispose]());
    const score = (query: string, texts: readonly string[]) => reranker.score({ query, texts, timeoutMs }, signal);

    test('gives one finite score per text, whatever the text', async () => {
      const scores = await score(QUERY, TEXTS);
      expect(scores).toHaveLength(TEXTS.length);
      expect(scores.every((each) => Number.isFinite(each))).toBe(true);
    });

    test('gives the text that answers the query the highest', async () => {
      const scores = await score(QUERY, TEXTS);
      expect(scores.indexOf(Math.max(...scores))).toBe(TEXTS.indexOf(GOOD));
    });

    test('keeps the order of the texts', async () => {
      const there = await score(QUERY, TEXTS);
      const back = await score(QUERY, TEXTS.toReversed());
      expect(back.toReversed()).toEqual(there);
    });

    test('scores more texts than a request holds, in their order', async () => {
      const texts = Array.from({ length: 150 }, (_, i) => (i === 140 ? GOOD : `Line ${i} of a list of dishes.`));
      const scores = await score(QUERY, texts);
      expect(scores).toHaveLength(150);
      expect(scores.indexOf(Math.max(...scores))).toBe(140);
    });

    test.each([
      ['long', 'where is the backup '.repeat(400)],
      ['of ideographs', '备份在哪里'.repeat(1_600)],
      ['with half a surrogate pair', 'backup \udc00'],
    ])('takes a query that is %s', async (_what, query) => {
      expect(await score(query, [GOOD, TEXTS[0]])).toHaveLength(2);
    });

    test('gives no scores for no texts', async () => {
      expect(await score(QUERY, [])).toEqual([]);
    });

    test('is safe to call concurrently', async () => {
      const alone = await score(QUERY, TEXTS);
      const all = await Promise.all(Array.from({ length: 20 }, () => score(QUERY, TEXTS)));
      expect(all).toEqual(all.map(() => alone));
    });

    test('refuses a call that is already aborted with its reason, and serves the next', async () => {
      const reason = new Error('no longer wanted');
      const aborted = reranker.score({ query: QUERY, texts: TEXTS, timeoutMs }, AbortSignal.abort(reason));
      await expect(aborted).rejects.toBe(reason);
      expect(await score(QUERY, TEXTS)).toHaveLength(TEXTS.length);
    });

    test('says what it serves', async () => {
      expect(await reranker.probe(signal)).toMatch(/^serves \S/);
    });
  });
}
