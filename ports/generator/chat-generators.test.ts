import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Generator } from './generator.ts';
import { generatorConformance } from './generator.conformance.ts';
import { openaiGenerator } from './openai-generator.ts';
import {
  ChatStub,
  GENERATOR_OPTIONS,
  LOCK_ANSWER,
  LOCK_QUESTION,
  tell,
  tgiStream,
  vllmStream,
  type StubReply,
} from './remote/chat-fixtures.ts';
import type { RemoteGenerator } from './remote/remote-generator.ts';
import { tgiGenerator } from './tgi-generator.ts';

const KEY = 'sk-canary-of-a-secret';

const ADAPTERS = [
  {
    name: 'openai',
    stream: vllmStream,
    page: '/v1/models',
    described: { data: [{ id: 'qwen' }] },
    open: (url: string) => openaiGenerator({ ...GENERATOR_OPTIONS, url: `${url}/v1`, model: 'qwen', apiKey: KEY }),
  },
  {
    name: 'tgi',
    stream: tgiStream,
    page: '/info',
    described: { model_id: 'qwen', max_input_tokens: 8_192, max_total_tokens: 9_216 },
    open: (url: string) => tgiGenerator({ ...GENERATOR_OPTIONS, url, model: 'qwen', apiKey: KEY }),
  },
];

describe.each(ADAPTERS)('the adapter $name', ({ name, stream, open, page, described }) => {
  let stub: ChatStub;
  let generator: RemoteGenerator;
  beforeEach(async () => {
    stub = await new ChatStub().listen();
    generator = open(stub.url);
  });
  afterEach(() => stub[Symbol.asyncDispose]());

  const script = (...replies: StubReply[]) => stub.script.push(...replies);

  test('streams an answer with a citation whose quote stands in the passage, and the usage that the server told', async () => {
    script({ steps: stream(LOCK_ANSWER) });
    const { text, events, error } = await tell(generator);
    expect({ text, error }).toEqual({
      text: 'A job lock is held for 30 seconds before it expires. [1]',
      error: undefined,
    });
    // What may be the end of a sentence waits for what follows; everything else is passed on as it came.
    expect(events.slice(0, 4)).toEqual(
      LOCK_ANSWER.slice(0, 4).map((said) => ({ kind: 'token', text: said.replace('.', '') })),
    );
    expect(events.slice(-2)).toEqual([
      { kind: 'citation', marker: 1, quote: 'A job lock is held for 30 seconds before it expires.' },
      {
        kind: 'done',
        refused: false,
        usage: { promptTokens: 321, completionTokens: 12 },
        model: 'qwen',
        prompt: 'grounded-answer/1',
      },
    ]);
  });

  test('asks as the protocol wants it', async () => {
    script({ steps: stream(LOCK_ANSWER) });
    await tell(generator);
    const [asked] = stub.requests;
    expect(asked).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      authorization: `Bearer ${KEY}`,
      body: { model: 'qwen', max_tokens: 256, temperature: 0, stream: true, stream_options: { include_usage: true } },
    });
    expect(asked?.body['messages']).toMatchObject([{ role: 'system' }, { role: 'user' }]);
  });

  test.each([
    ['at every byte', (bytes: string) => Array.from(bytes)],
    ['in one packet', (bytes: string) => [bytes]],
  ])('reads a stream that is cut %s', async (_where, cut) => {
    script({ steps: cut(stream(LOCK_ANSWER).join('')) });
    expect(await tell(generator)).toMatchObject({
      text: 'A job lock is held for 30 seconds before it expires. [1]',
      error: undefined,
    });
  });

  test('counts characters, and says so, when the server does not count', async () => {
    script({ steps: stream(LOCK_ANSWER).filter((event) => !event.includes('"choices":[]')) });
    const { events } = await tell(generator);
    expect(events.at(-1)).toMatchObject({ kind: 'done', usage: { completionTokens: 14, approximate: true } });
  });

  test('says that the model found nothing, in fixed words', async () => {
    script({ steps: stream(['NO', '_ANS', 'WER']) });
    const { text, events } = await tell(generator);
    expect(text).toMatch(/^I don't know/);
    expect(events.at(-1)).toMatchObject({ refused: true, reason: 'the model found no answer in the passages' });
  });

  test('takes a refusal in words of the model as one', async () => {
    script({ steps: stream(['I do not know', ' what you mean.']) });
    expect((await tell(generator)).events.at(-1)).toMatchObject({ kind: 'done', refused: true });
  });

  test('takes the end by a filter as a refusal', async () => {
    script({ steps: stream([], 'content_filter') });
    expect((await tell(generator)).events.at(-1)).toMatchObject({ refused: true, reason: 'the model refused' });
  });

  test('leaves out what the model thinks', async () => {
    script({ steps: stream(['<thi', 'nk>The user asks.', '</think>\n\n', ...LOCK_ANSWER]) });
    expect((await tell(generator)).text).toBe('A job lock is held for 30 seconds before it expires. [1]');
  });

  test('says that an answer was cut at its limit', async () => {
    script({ steps: stream(LOCK_ANSWER, 'length') });
    const { events } = await tell(generator);
    expect(events.at(-1)).toMatchObject({ refused: false, reason: 'the answer was cut at maxTokens' });
  });

  test('asks no model without passages', async () => {
    const { events } = await tell(generator, { question: 'What?', passages: [] });
    expect(events.at(-1)).toMatchObject({ kind: 'done', refused: true, reason: 'no passages' });
    expect(stub.requests).toEqual([]);
  });

  test.each<[string, StubReply]>([
    ['is busy', { status: 429 }],
    ['is not ready', { status: 503, headers: { 'retry-after': '0' } }],
    ['fails', { status: 500 }],
    ['hangs up', { steps: ['cut'] }],
    ['hangs up after the role', { steps: [stream([''])[0] ?? '', 'cut'] }],
    ['sends no stream', { headers: { 'content-type': 'text/html' }, steps: ['<h1>proxy</h1>'] }],
    ['sends no JSON', { steps: ['data: {"choices": [\n\n'] }],
    ['sends something else', { steps: ['data: {"hello": 1}\n\n'] }],
    ['tells an error at once', { steps: ['data:{"error":"Model is overloaded","error_type":"overloaded"}\n\n'] }],
    [
      'tells an error as vLLM does',
      { steps: ['data: {"error": {"message": "x", "type": "Internal", "code": 500}}\n\n', 'data: [DONE]\n\n'] },
    ],
    ['says nothing at all', { steps: stream([]) }],
    ['ends without an end', { steps: ['data: [DONE]\n\n'] }],
  ])('asks again when a server %s', async (_what, reply) => {
    script(reply, { steps: stream(LOCK_ANSWER) });
    expect(await tell(generator)).toMatchObject({ text: expect.stringContaining('[1]') as string, error: undefined });
    expect(stub.requests).toHaveLength(2);
    expect(generator.inFlight).toBe(0);
  });

  test.each<[number, string]>([
    [400, 'fit its model'],
    [401, 'address, key and model'],
    [404, 'address, key and model'],
    [422, 'fit its model'],
  ])('does not repeat what is answered with %i, and says what to do', async (status, words) => {
    stub.otherwise = { status };
    const { error, events } = await tell(generator);
    expect(error).toMatchObject({ code: 'FRESHET_GENERATOR_UNAVAILABLE', message: expect.stringContaining(words) });
    expect(events).toEqual([]);
    expect(stub.requests).toHaveLength(1);
  });

  test.each<[string, readonly string[]]>([
    ['a cut', ['cut']],
    ['an end without a reason', []],
    ['an error of TGI', ['data:{"error":{"message":"canary: out of memory","http_status_code":422}}\n\n']],
    [
      'an error of vLLM',
      ['data: {"error": {"message": "canary", "type": "InternalServerError", "code": 500}}\n\n', 'data: [DONE]\n\n'],
    ],
    ['an event named error', ['event: error\ndata: {"error": "canary"}\n\n']],
    ['an event that is not JSON', ['data: {"cho\n\n']],
    ['an event without a form', ['data: 42\n\n']],
  ])('ends with an error and a free place when %s comes in the middle of an answer', async (_what, rest) => {
    script({ steps: [...stream(['A job lock', ' is held']).slice(0, name === 'tgi' ? 2 : 3), ...rest] });
    const { text, error } = await tell(generator);
    expect(text).toBe('A job lock is held');
    expect(error).toMatchObject({ code: 'FRESHET_GENERATOR_UNAVAILABLE', fate: 'retry' });
    expect(String(error)).not.toMatch(/canary|job lock|sk-/);
    expect(stub.requests).toHaveLength(1);
    expect(generator.inFlight).toBe(0);
  });

  test('a server that hangs up after the end of the answer takes nothing away from it', async () => {
    const steps = stream(LOCK_ANSWER);
    script({ steps: [...steps.slice(0, -2), 'cut'] });
    expect(await tell(generator)).toMatchObject({ error: undefined, text: expect.stringContaining('[1]') as string });
  });

  test('a caller that goes away closes the connection to the server and frees the place', async () => {
    script({ steps: [...stream(['A job lock']).slice(0, name === 'tgi' ? 1 : 2), 'stall'] });
    const caller = new AbortController();
    const reason = new Error('gone');
    const told = (async () => {
      for await (const event of generator.generate(LOCK_QUESTION, caller.signal))
        if (event.kind === 'token') caller.abort(reason);
    })();
    await expect(told).rejects.toBe(reason);
    await stub.requests[0]?.left;
    expect(generator.inFlight).toBe(0);
  });

  test('leaving the iteration does the same', async () => {
    script({ steps: [...stream(['A job lock']).slice(0, name === 'tgi' ? 1 : 2), 'stall'] });
    for await (const _event of generator.generate(LOCK_QUESTION, new AbortController().signal)) break;
    await stub.requests[0]?.left;
    expect(generator.inFlight).toBe(0);
  });

  test('ends an answer that has no end, and closes the connection', async () => {
    const endless = Array.from({ length: 12 }, () => stream(['word '.repeat(200)])[name === 'tgi' ? 0 : 1] ?? '');
    script({ steps: [...endless, 'stall'] });
    const { events } = await tell(generator);
    expect(events.at(-1)).toMatchObject({ kind: 'done', reason: 'the answer was cut at maxTokens' });
    await stub.requests[0]?.left;
  });

  test('gives up on more bytes than the tokens can take', async () => {
    const padding = `: ${'x'.repeat(65_536)}\n\n`;
    script({
      steps: [...stream(['A job lock']).slice(0, name === 'tgi' ? 1 : 2), ...Array<string>(12).fill(padding), 'stall'],
    });
    expect((await tell(generator)).error).toMatchObject({ message: expect.stringContaining('more bytes') });
    await stub.requests[0]?.left;
  });

  test('says of itself what it serves', async () => {
    stub.pages[page] = described;
    expect(await generator.probe(new AbortController().signal)).toMatch(/^serves qwen/);
  });

  test('a probe says what is wrong and shows no key', async () => {
    const signal = new AbortController().signal;
    const wrong = generator.probe(signal);
    await expect(wrong).rejects.toMatchObject({ message: expect.stringContaining('check its address') });
    stub.pages[page] = { hello: 1 };
    await expect(generator.probe(signal)).rejects.toMatchObject({ message: expect.not.stringContaining(KEY) });
    const closed = await new ChatStub().listen();
    const { url } = closed;
    await closed[Symbol.asyncDispose]();
    await expect(open(url).probe(signal)).rejects.toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

test('a probe names the models that are there', async () => {
  await using stub = await new ChatStub().listen();
  stub.pages['/v1/models'] = { data: [{ id: 'llama' }, { id: 'mistral' }] };
  const generator = openaiGenerator({ ...GENERATOR_OPTIONS, url: `${stub.url}/v1/`, model: 'qwen' });
  await expect(generator.probe(new AbortController().signal)).rejects.toMatchObject({
    code: 'FRESHET_INVALID_CONFIG',
    message: 'it does not serve the model "qwen", but llama, mistral',
  });
});

test('a field `error` in the stream, as of an older llama.cpp, is an error', async () => {
  await using stub = await new ChatStub().listen();
  stub.otherwise = { steps: ['error: {"code":500,"message":"canary"}\n\n'] };
  const generator = openaiGenerator({ ...GENERATOR_OPTIONS, url: `${stub.url}/v1`, model: 'qwen' });
  expect((await tell(generator)).error).toMatchObject({ message: expect.stringContaining('an error in the stream') });
});

describe.each(ADAPTERS)('by the stub of $name', ({ name, stream, open }) => {
  let stub: ChatStub;
  beforeAll(async () => {
    stub = await new ChatStub().listen();
    stub.otherwise = { steps: stream(LOCK_ANSWER) };
  });
  afterAll(() => stub[Symbol.asyncDispose]());
  generatorConformance(name, (): Generator => open(stub.url));
});
