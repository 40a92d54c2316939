import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRerankStub } from '../../test/support/rerank-stub.ts';
import { PARTS, replyTests, sharedStub } from './remote-fixtures.ts';
import { rerankerConformance } from './reranker.conformance.ts';
import { teiReranker } from './tei-reranker.ts';

const never = new AbortController().signal;

describe('over a stub of TEI', () => {
  const stub = sharedStub();
  beforeAll(stub.start);
  afterAll(stub.stop);

  rerankerConformance('tei', () => teiReranker({ ...PARTS, url: stub.url() }));
});

replyTests((url, apiKey) => teiReranker({ ...PARTS, url, apiKey }));

it('sends as many texts at a time as the server takes', async () => {
  await using stub = await startRerankStub();
  stub.info.max_client_batch_size = 5;
  await using reranker = teiReranker({ ...PARTS, url: `${stub.url}/` });
  const texts = Array.from({ length: 12 }, (_, i) => `text ${i}`);
  expect(await reranker.score({ query: 'text 7', texts, timeoutMs: 10_000 }, never)).toHaveLength(12);
  expect(stub.seen.map((request) => request.texts.length)).toEqual(expect.arrayContaining([2, 5, 5]));
});

it('tells texts apart of which a model is sure', async () => {
  await using stub = await startRerankStub();
  await using reranker = teiReranker({ ...PARTS, url: stub.url });
  const texts = ['alpha beta', 'alpha beta gamma', 'alpha'];
  const [some, all, least] = await reranker.score({ query: 'alpha beta gamma', texts, timeoutMs: 10_000 }, never);
  expect(all).toBeGreaterThan(some!);
  expect(some).toBeGreaterThan(least!);
});

it('cuts what no model of the server could read, so that a request stays small', async () => {
  await using stub = await startRerankStub();
  await using reranker = teiReranker({ ...PARTS, url: stub.url });
  await reranker.score({ query: 'word '.repeat(4_000), texts: ['word '.repeat(100_000)], timeoutMs: 10_000 }, never);
  const [request] = stub.seen;
  expect(request?.query.length).toBeLessThan(512 * 5);
  expect(request?.texts[0]?.length).toBeLessThan(4 * 512 * 5);
  // English words of four letters are two approximate tokens and one of the model: all 512 of its positions are still filled.
  expect(request?.texts[0]?.length).toBeGreaterThan(512 * 5);
});

it.each([
  [
    'an embedding model',
    { model_type: { embedding: { pooling: 'cls' } } },
    /serves BAAI\/bge-reranker-base, which is not a reranking model/,
  ],
  ['something else', { max_input_length: 0 }, /not that of a text-embeddings-inference server/],
])('names a server of %s, and sends it no text', async (_what, info, message) => {
  await using stub = await startRerankStub();
  Object.assign(stub.info, info);
  await using reranker = teiReranker({ ...PARTS, url: stub.url });
  await expect(reranker.probe(never)).rejects.toMatchObject({
    failure: 'forbidden',
    message: expect.stringMatching(message) as string,
  });
  expect(stub.seen).toEqual([]);
});
