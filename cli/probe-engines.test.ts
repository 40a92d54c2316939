import { expect, test } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { startRerankStub } from '../test/support/rerank-stub.ts';
import { probeEngines } from './probe-engines.ts';

const world = { clock: systemClock, signal: new AbortController().signal };
const probe = (reranker: object) => {
  const signature = { scheme: 'standard-webhooks', secret: 'whsec_eA==' };
  const sources = [{ name: 'a', kind: 'webhook', signature }];
  return probeEngines(parseConfig(JSON.stringify({ sources, reranker }), {}, 'test'), world);
};

test('a reranker is asked what it serves; without one nothing is asked', async () => {
  await using stub = await startRerankStub({ apiKey: 'right' });
  const { url } = stub;
  expect(await probe({ kind: 'tei', url, apiKey: 'right' })).toEqual([
    { name: 'reranker', status: 'ok', message: 'serves BAAI/bge-reranker-base' },
  ]);
  expect(await probe({ kind: 'cohere', url, apiKey: 'right', model: 'rerank-v3.5' })).toEqual([
    { name: 'reranker', status: 'ok', message: 'serves rerank-v3.5' },
  ]);
  expect(await probe({ kind: 'none' })).toEqual([]);
});

test('a reranker with a wrong key, of the wrong kind or away is a fault that says what to mend', async () => {
  await using stub = await startRerankStub({ apiKey: 'right' });
  const [forbidden] = await probe({ kind: 'tei', url: stub.url, apiKey: 'secret-canary' });
  expect(forbidden).toEqual({
    name: 'reranker',
    status: 'fault',
    message: 'The TEI reranker gives no order: status 401.',
    mend: 'start it, or correct `reranker` in the config',
  });
  stub.info.model_type = { embedding: { pooling: 'cls' } };
  const [embedding] = await probe({ kind: 'tei', url: stub.url, apiKey: 'right' });
  expect(embedding).toMatchObject({
    status: 'fault',
    message: expect.stringContaining('not a reranking model') as string,
  });
  const closed = await startRerankStub();
  await closed[Symbol.asyncDispose]();
  const [away] = await probe({ kind: 'tei', url: closed.url });
  expect(away).toMatchObject({ status: 'fault', message: expect.stringContaining('ECONNREFUSED') as string });
});
