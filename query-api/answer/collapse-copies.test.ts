import { afterEach, expect, it } from 'vitest';
import type { Hit } from '../../ports/document-store/document-store.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { documentId, passageId } from '../../schemas/ids.ts';
import type { SearchResponse } from '../../schemas/query.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { queryBench, type QueryBench } from '../../test/support/query-api.ts';
import { collapseCopies } from './collapse-copies.ts';

function aHit(key: string, text: string, title = '', headings: readonly string[] = []): Hit {
  const id = documentId({ source: 'help', table: 't', key: [key] });
  const tokens = text.split(/\s+/).length;
  return {
    documentId: id,
    version: sourceVersion(0, 1n),
    source: { name: 'help', table: 't', key },
    title,
    metadata: {},
    committedAt: 0,
    indexedAt: 0,
    passage: { id: passageId(id, 0), ordinal: 0, start: 0, end: text.length, text, headings, tokens, vectorKey: key },
    hasVector: true,
    score: 1,
  };
}
const keys = (hits: readonly Hit[]) => hits.map(({ source }) => source.key);
const long = 'The lock of a job is extended every fifteen seconds by the worker that holds it, until the job ends.';

it('the first of the same texts stays, at its place', () => {
  const hits = [aHit('a', 'other'), aHit('b', long), aHit('c', `${long}!`), aHit('d', long), aHit('e', 'more')];
  expect(keys(collapseCopies(hits))).toEqual(['a', 'b', 'c', 'e']);
});

it('a title and white space do not tell long texts apart', () => {
  const hits = [aHit('a', long, 'Locks'), aHit('b', long.replaceAll(' ', '\n '), 'Copy of Locks')];
  expect(keys(collapseCopies(hits))).toEqual(['a']);
});

it('a short text says something else under another title or heading', () => {
  const hits = [
    aHit('a', 'Deprecated.', 'open()'),
    aHit('b', 'Deprecated.', 'close()'),
    aHit('c', 'Deprecated.', 'open()', ['sync']),
    aHit('d', 'Deprecated.', 'open()'),
  ];
  expect(keys(collapseCopies(hits))).toEqual(['a', 'b', 'c']);
});

const open: QueryBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** Six copies of a page that matches best, and two pages behind them. */
async function copies(): Promise<QueryBench> {
  const bench = queryBench();
  open.push(bench);
  for (let i = 0; i < 6; i++)
    await bench.index({ key: `copy${i}`, text: `${long} The lock is extended. The lock is held.` });
  await bench.index({
    key: 'second',
    text: `A lock that nobody extends is lost after thirty seconds, says the manual of the queue about it.`,
  });
  await bench.index({
    key: 'third',
    text: `Who has lost a lock is told so by an event, and by a line of the log that names the lost job.`,
  });
  return bench;
}

async function post<T>({ app }: QueryBench, url: string, body: object): Promise<T> {
  const reply = await app.inject({ method: 'POST', url, body });
  expect(reply.statusCode).toBe(200);
  return JSON.parse(reply.body) as T;
}

it('an answer draws on different texts, however many copies rank before them', async () => {
  const bench = await copies();
  const reply = await bench.app.inject({
    method: 'POST',
    url: '/v1/answer',
    body: {
      question: 'Which worker holds the job lock that is extended every fifteen seconds?',
      mode: 'lexical',
      k: 3,
      stream: true,
    },
  });
  const [, retrieved = '{}'] = /event: retrieval\ndata: (.*)\n/.exec(reply.body) ?? [];
  const found = (JSON.parse(retrieved) as SearchResponse).results.map(({ source }) => source.key);
  expect(found.map((key) => key.replace(/\d$/, '')).toSorted()).toEqual(['copy', 'second', 'third']);
});

it('what an answer cites is one of the copies, word for word', async () => {
  const { citations } = await post<AnswerResponse>(await copies(), '/v1/answer', {
    question: 'Which lock is extended?',
  });
  expect(new Set(citations.map(({ documentId: id }) => id)).size).toBeLessThanOrEqual(3);
  expect(
    citations.some(({ documentId: id, quote }) => /copy/.test(id) && `${long} The lock is extended.`.includes(quote)),
  ).toBe(true);
});

it('a search shows every copy: whoever looks for a document finds it', async () => {
  const bench = await copies();
  const { results } = await post<SearchResponse>(bench, '/v1/search', {
    query: 'lock extended',
    mode: 'lexical',
    k: 8,
  });
  expect(results.filter(({ source }) => source.key.startsWith('copy'))).toHaveLength(6);
});
