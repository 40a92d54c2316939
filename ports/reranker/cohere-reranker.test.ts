import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRerankStub } from '../../test/support/rerank-stub.ts';
import { cohereReranker } from './cohere-reranker.ts';
import { PARTS, replyTests, sharedStub } from './remote-fixtures.ts';
import { rerankerConformance } from './reranker.conformance.ts';

const OPTIONS = { ...PARTS, model: 'rerank-v3.5', apiKey: 'co-test' };

describe('over a stub of Cohere', () => {
  const stub = sharedStub();
  beforeAll(stub.start);
  afterAll(stub.stop);

  rerankerConformance('cohere', () => cohereReranker({ ...OPTIONS, url: stub.url() }));
});

replyTests((url, apiKey) => cohereReranker({ ...OPTIONS, url, apiKey }));

it('asks the model of the config for a hundred texts in one request, which is what Cohere bills as one search', async () => {
  await using stub = await startRerankStub();
  await using reranker = cohereReranker({ ...OPTIONS, url: stub.url });
  const texts = Array.from({ length: 100 }, (_, i) => `text ${i}`);
  await reranker.score({ query: 'text', texts, timeoutMs: 10_000 }, new AbortController().signal);
  expect(stub.seen).toHaveLength(1);
  expect(stub.seen[0]).toMatchObject({ path: '/v2/rerank', model: 'rerank-v3.5', texts });
});
