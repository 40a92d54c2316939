import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import { fallbackGenerator } from '../../ports/generator/fallback-generator.ts';
import { openaiGenerator } from '../../ports/generator/openai-generator.ts';
import { ChatStub, GENERATOR_OPTIONS, LOCK_ANSWER, vllmStream } from '../../ports/generator/remote/chat-fixtures.ts';
import type { RemoteGenerator } from '../../ports/generator/remote/remote-generator.ts';
import type { AnswerEvent, AnswerResponse } from '../../schemas/answer.ts';
import { queryBench, type QueryBench } from '../../test/support/query-api.ts';

const QUESTION = { question: 'How long is a job lock held?', mode: 'lexical' };
const LOCKS = 'A job lock is held for 30 seconds before it expires. Workers renew it.';

let stub: ChatStub;
let server: RemoteGenerator;
let bench: QueryBench;
beforeEach(async () => {
  stub = await new ChatStub().listen();
  server = openaiGenerator({ ...GENERATOR_OPTIONS, url: `${stub.url}/v1`, model: 'qwen', apiKey: 'sk-canary' });
  bench = queryBench({ generator: fallbackGenerator(server, [extractiveGenerator()], GENERATOR_OPTIONS) });
  await bench.index({ key: '1', text: LOCKS, title: 'Locks' });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await stub[Symbol.asyncDispose]();
});

async function events(): Promise<readonly AnswerEvent[]> {
  const { body } = await bench.app.inject({
    method: 'POST',
    url: '/v1/answer',
    payload: { ...QUESTION, stream: true },
  });
  return body
    .split('\n\n')
    .filter((event) => event.startsWith('event: '))
    .map((event) => {
      const [, name, data] = /^event: (\S+)\ndata: (.*)$/.exec(event) ?? [];
      return { event: name, data: JSON.parse(data ?? '') as unknown } as AnswerEvent;
    });
}

describe('an answer that a model writes', () => {
  test('streams as retrieval, tokens, verified citations, done', async () => {
    stub.script.push({ steps: vllmStream(LOCK_ANSWER) });
    const told = await events();
    expect(told.map(({ event }) => event)).toEqual([
      'retrieval',
      ...Array<string>(6).fill('token'),
      'citation',
      'done',
    ]);
    expect(told.at(-1)).toMatchObject({
      data: {
        answer: 'A job lock is held for 30 seconds before it expires. [1]',
        citations: [{ marker: 1, quote: 'A job lock is held for 30 seconds before it expires.', version: '1' }],
        refused: false,
        model: 'qwen',
        prompt: 'grounded-answer/1',
        usage: { promptTokens: 321, completionTokens: 12 },
      },
    });
  });

  test('is one JSON reply for who does not stream', async () => {
    stub.script.push({ steps: vllmStream(LOCK_ANSWER) });
    const reply = await bench.app.inject({ method: 'POST', url: '/v1/answer', payload: QUESTION });
    expect(reply.json<AnswerResponse>()).toMatchObject({ refused: false, model: 'qwen', citations: [{ marker: 1 }] });
  });

  test('is "I do not know" when nothing of it rests on a passage', async () => {
    stub.script.push({ steps: vllmStream(['The moon is made of green cheese, as everybody knows. [1]']) });
    expect((await events()).at(-1)).toMatchObject({
      data: {
        refused: true,
        citations: [],
        answer: expect.stringMatching(/^I don't know/) as string,
        reason: 'no citation could be verified',
      },
    });
  });

  test('ends with a typed error when its server breaks off, and shows neither key nor passage', async () => {
    stub.script.push({ steps: [...vllmStream(['A job lock']).slice(0, 2), 'cut'] });
    const told = await events();
    expect(told.at(-1)).toMatchObject({ event: 'error', data: { code: 'FRESHET_GENERATOR_UNAVAILABLE' } });
    expect(JSON.stringify(told.at(-1))).not.toMatch(/canary|30 seconds|127\.0\.0\.1/);
    expect(server.inFlight).toBe(0);
  });

  test('comes from the next generator when its server is not there', async () => {
    stub.otherwise = { status: 401 };
    const told = await events();
    expect(told.at(-1)).toMatchObject({ event: 'done', data: { model: 'extractive', refused: false } });
    expect(told.at(-1)).not.toHaveProperty('data.prompt');
  });

  test('stops at the server when the caller closes the connection', async () => {
    stub.script.push({ steps: [...vllmStream(['A job lock']).slice(0, 2), 'stall'] });
    await bench.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = bench.app.server.address() as AddressInfo;
    const caller = new AbortController();
    const reply = await fetch(`http://127.0.0.1:${port}/v1/answer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...QUESTION, stream: true }),
      signal: caller.signal,
    });
    const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    while (!seen.includes('event: token')) seen += (await reader.read()).value ?? '';
    expect(server.inFlight).toBe(1);
    caller.abort();
    await stub.requests[0]?.left;
    await expect.poll(() => server.inFlight).toBe(0);
  });
});
