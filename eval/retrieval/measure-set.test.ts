import { expect, it } from 'vitest';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Reranking } from '../../query-api/answer/rerank.ts';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { QUERY_CONFIG } from '../../test/support/query-api.ts';
import { measureSet } from './measure-set.ts';
import type { RetrievalSet } from './read-set.ts';
import { openVectorFile } from './vector-file.ts';

const long = Array.from({ length: 60 }, (_, i) => `Sentence ${i} tells of harbours, ships and tides.`).join(' ');
const set: RetrievalSet = {
  name: 'small',
  documents: [
    { id: 'ships/1', title: 'Harbour', text: long },
    { id: 'bread', title: '', text: 'Flour, water and salt make bread.' },
    { id: 'snow', title: 'Snow', text: 'It falls in winter.' },
  ],
  queries: [
    { id: 'q1', text: 'ships and tides', judgements: new Map([['ships/1', 1]]) },
    { id: 'q2', text: 'bread of flour', judgements: new Map([['bread', 1]]) },
    { id: 'q3', text: 'nothing of it is here', judgements: new Map([['gone', 1]]) },
  ],
};

/** Prefers passages with the word. */
const preferring = (word: string, failure?: Error): Reranking => ({
  reranker: {
    name: 'preferring',
    score: async ({ texts }) => {
      if (failure) throw failure;
      return texts.map((text) => (text.includes(word) ? 1 : 0));
    },
    probe: async () => 'serves nothing',
    [Symbol.asyncDispose]: async () => undefined,
  },
  use: 'always',
  candidates: 100,
  timeoutMs: 1,
});

it('with a reranker the figures are of its order, and there are none when it fails', async () => {
  const embedder = hashEmbedder();
  await using cache = openVectorFile(':memory:');
  const parts = { embedder, cache, config: QUERY_CONFIG.pipeline, clock: systemClock, metrics: createMetrics() };
  const signal = new AbortController().signal;
  const { legs } = await measureSet(set, { ...parts, reranking: preferring('winter') }, signal);
  const dense = legs.find(({ leg }) => leg === 'dense');
  expect(dense?.ndcg10ByQuery[0]).toBeLessThan(1);
  const failing = { ...parts, reranking: preferring('winter', new RerankerUnavailable('no')) };
  await expect(measureSet(set, failing, signal)).rejects.toThrow(RerankerUnavailable);
});

it('a document counts once, at the rank of its best passage', async () => {
  const embedder = hashEmbedder();
  await using cache = openVectorFile(':memory:');
  const config = { ...QUERY_CONFIG.pipeline, chunk: { maxTokens: 40, overlapTokens: 8 } };
  const parts = { embedder, cache, config, clock: systemClock, metrics: createMetrics() };
  const result = await measureSet(set, parts, new AbortController().signal);
  expect(result).toMatchObject({ set: 'small', documents: 3, queries: 3 });
  expect(result.passages).toBeGreaterThan(10);
  const [lexical, dense, hybrid] = result.legs;
  expect(lexical).toMatchObject({ leg: 'lexical', ndcg10ByQuery: [1, 1, 0], recall10: 2 / 3, recall100: 2 / 3 });
  expect(hybrid).toMatchObject({ leg: 'hybrid', ndcg10ByQuery: [1, 1, 0], mrr10: 2 / 3 });
  expect(dense?.ndcg10.mean).toBeGreaterThan(0.5);
  expect(lexical?.p50Ms).toBeGreaterThan(0);
});
