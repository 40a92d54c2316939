import { expect, test } from 'vitest';
import { ChatStub } from '../ports/generator/remote/chat-fixtures.ts';
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

const SOURCE = 'sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }]';

test('every server that may write answers is asked, and a fault names its key and shows no secret', async () => {
  await using stub = await new ChatStub().listen();
  stub.pages['/v1/models'] = { data: [{ id: 'qwen' }] };
  stub.pages['/info'] = { model_id: 'Qwen/Qwen2.5-7B-Instruct', max_input_tokens: 8_192, max_total_tokens: 9_216 };
  const config = parseConfig(
    `${SOURCE}
generator:
  kind: openai
  url: ${stub.url}/v1
  model: qwen
  fallbacks: [{ kind: tgi, url: '${stub.url}' }, { kind: openai, url: '${stub.url}/v1', model: llama, apiKey: canary }]`,
    {},
    'freshet.yaml',
  );
  const findings = await probeEngines(config, world);
  expect(findings).toEqual([
    { name: 'generator', status: 'ok', message: 'serves qwen' },
    {
      name: 'generator, fallback 1',
      status: 'ok',
      message: 'serves Qwen/Qwen2.5-7B-Instruct, 8192 tokens of prompt, 9216 in all',
    },
    {
      name: 'generator, fallback 2',
      status: 'fault',
      message: 'it does not serve the model "llama", but qwen',
      mend: 'start it, or correct `generator.fallbacks[1]` in the config',
    },
  ]);
});

test('a generator without a model has no server to ask', async () => {
  expect(await probeEngines(parseConfig(SOURCE, {}, 'freshet.yaml'), world)).toEqual([]);
});
