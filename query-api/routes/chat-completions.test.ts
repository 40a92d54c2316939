import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import OpenAI, { type APIError, APIUserAbortError } from 'openai';
import { Compile } from 'typebox/compile';
import { afterEach, describe, expect, test } from 'vitest';
import type { GenerateEvent, Generator } from '../../ports/generator/generator.ts';
import { ChatChunk, ChatCompletion, ChatError, type ChatExtension } from '../../schemas/chat.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { articleKey, queryBench, type QueryBench, type QueryBenchOptions } from '../../test/support/query-api.ts';

const LOCKS = 'A job lock is held for 30 seconds before it expires. Workers renew it while they run.';
const QUESTION = { role: 'user', content: 'When does a job lock expire?' } as const;
const KEY = 'a-key-for-acme';

const open: QueryBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** The API as it listens, and the client that OpenAI gives to its users. */
async function served(options: QueryBenchOptions = {}, apiKey = 'anything') {
  const bench = queryBench(options);
  open.push(bench);
  await bench.index({ key: '1', title: 'Locks', text: LOCKS });
  await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = bench.app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { bench, url, client: new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 }) };
}

function scripted(events: readonly GenerateEvent[], failure?: Error): Generator {
  return {
    model: 'scripted',
    async *generate() {
      yield* events;
      if (failure) throw failure;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

const done = (refused = false): GenerateEvent => ({
  kind: 'done',
  refused,
  usage: { promptTokens: 20, completionTokens: 3 },
});
const SUPPORTED: readonly GenerateEvent[] = [
  { kind: 'token', text: 'After 30 seconds' },
  { kind: 'token', text: ' [1].' },
  { kind: 'citation', marker: 1, quote: 'held for 30 seconds' },
  done(),
];

type Extended<T> = T & { readonly freshet?: ChatExtension };

/** `data` of every event, as a reader of the wire has it. */
async function wire(url: string, body: object): Promise<readonly string[]> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [QUESTION], stream: true, ...body }),
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events = (await response.text()).split('\n\n').filter((event) => event !== '');
  expect(events.filter((event) => !event.startsWith('data: '))).toEqual([]);
  return events.map((event) => event.slice('data: '.length));
}

describe("OpenAI's client", () => {
  test('gets an answer with its citations beside it', async () => {
    const { client } = await served({ generator: scripted(SUPPORTED) });
    const completion = await client.chat.completions.create({ model: 'gpt-4o', messages: [QUESTION] });
    expect(Compile(ChatCompletion).Check(completion)).toBe(true);
    const [choice] = completion.choices;
    expect(choice).toMatchObject({ index: 0, finish_reason: 'stop', message: { content: 'After 30 seconds [1].' } });
    const { freshet } = choice!.message as Extended<object>;
    expect(freshet).toMatchObject({ question: QUESTION.content, refused: false, model: 'scripted', asOf: {} });
    expect(freshet?.citations).toMatchObject([{ marker: 1, quote: 'held for 30 seconds' }]);
    expect(completion.id).toBe(`chatcmpl-${freshet?.traceId}`);
    expect(completion.usage).toEqual({ prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 });
  });

  test('streams the same answer, and puts the citations where it has them otherwise', async () => {
    const { client } = await served({ generator: scripted(SUPPORTED) });
    const runner = client.chat.completions.stream({ model: 'freshet', messages: [QUESTION] });
    let streamed = '';
    runner.on('content', (delta) => (streamed += delta));
    const completion = await runner.finalChatCompletion();
    expect(streamed).toBe('After 30 seconds [1].');
    expect(completion.choices[0]?.message.content).toBe(streamed);
    const { freshet } = completion.choices[0]!.message as Extended<object>;
    expect(freshet?.citations).toMatchObject([{ marker: 1, quote: 'held for 30 seconds' }]);
  });

  test('lists the models, and gets them by their names alone', async () => {
    const { client } = await served();
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['freshet', 'freshet-with-sources']);
    expect(await client.models.retrieve('freshet')).toMatchObject({ id: 'freshet', object: 'model' });
    await expect(client.models.retrieve('gpt-4o')).rejects.toMatchObject({ status: 404, code: 'FRESHET_NOT_FOUND' });
  });

  test('has the sources listed below the text, once each, if the model says so', async () => {
    const again: GenerateEvent = { kind: 'citation', marker: 1, quote: 'renew it' };
    const { client } = await served({
      generator: scripted([...SUPPORTED.slice(0, 3), again, done()]),
      clock: new FakeClock(),
    });
    const ask = { model: 'freshet-with-sources', messages: [QUESTION] };
    const whole = await client.chat.completions.create(ask);
    const text = `After 30 seconds [1].\n\nSources:\n\n- [1] Locks, \`${articleKey('1')}\`, changed `;
    expect(whole.model).toBe('freshet-with-sources');
    const content = whole.choices[0]?.message.content ?? '';
    expect(content.startsWith(text)).toBe(true);
    expect(content.slice(text.length)).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
    const streamed = await client.chat.completions.stream(ask).finalContent();
    expect(streamed).toBe(whole.choices[0]?.message.content);
    const { client: unsure } = await served({ generator: scripted([{ kind: 'token', text: 'No.' }, done(true)]) });
    expect((await unsure.chat.completions.create(ask)).choices[0]?.message.content).toBe('No.');
  });

  test('is told in its own errors what cannot be had', async () => {
    const { client } = await served();
    const error = await client.chat.completions
      .create({ model: 'freshet', messages: [QUESTION], n: 2, freshet: { kk: 1 } } as never)
      .catch((thrown: unknown) => thrown as APIError);
    expect(error).toMatchObject({ status: 400, code: 'FRESHET_INVALID_REQUEST', type: 'invalid_request_error' });
    expect((error as APIError).message).toContain('/freshet/kk is not a known field');
    const other = client.chat.completions.create({ model: 'freshet', messages: [QUESTION], n: 2, logprobs: true });
    await expect(other).rejects.toMatchObject({ status: 400, param: 'n' });
    await expect(other).rejects.toThrow('/n must be 1: a question has one answer; /logprobs must be false');
  });

  test('throws what failed on the way of a stream, with our code', async () => {
    const broken = scripted(SUPPORTED.slice(0, 1), new Error('text of a document'));
    const { client } = await served({ generator: broken });
    const stream = await client.chat.completions.create({ model: 'x', messages: [QUESTION], stream: true });
    const read = async () => {
      for await (const _chunk of stream);
    };
    await expect(read()).rejects.toMatchObject({ code: 'FRESHET_GENERATOR_UNAVAILABLE', type: 'server_error' });
  });

  test('frees the generator by aborting', async () => {
    const stopped = new AbortController();
    const endless: Generator = {
      ...scripted([]),
      async *generate(_request, signal): AsyncIterable<GenerateEvent> {
        yield { kind: 'token', text: 'word' };
        try {
          await once(signal, 'abort');
          signal.throwIfAborted();
        } finally {
          stopped.abort();
        }
      },
    };
    const { client } = await served({ generator: endless });
    const stream = await client.chat.completions.create({ model: 'x', messages: [QUESTION], stream: true });
    const ended = once(stopped.signal, 'abort');
    for await (const { choices } of stream) if (choices[0]?.delta.content === 'word') break;
    await ended;
    const caller = new AbortController();
    const whole = client.chat.completions.create({ model: 'x', messages: [QUESTION] }, { signal: caller.signal });
    caller.abort();
    await expect(whole).rejects.toThrow(APIUserAbortError);
  });

  test('is known by an API key, and sees nothing of another tenant', async () => {
    const apiKeys = [{ key: KEY, tenant: 'acme', groups: ['staff'] }];
    const { bench, client, url } = await served({ config: { auth: { mode: 'required', apiKeys } } }, KEY);
    await bench.index({ key: '2', text: 'A lease is held for 99 seconds.', tenant: 'acme', acl: ['staff'] });
    await bench.index({ key: '3', text: 'A lease is held for 77 seconds.', tenant: 'acme', acl: ['board'] });
    const messages = [{ role: 'user' as const, content: 'How long is a lease held?' }];
    const completion = await client.chat.completions.create({ model: 'x', messages });
    const { freshet } = completion.choices[0]!.message as Extended<object>;
    expect(freshet?.citations.map(({ quote }) => quote)).toEqual(['A lease is held for 99 seconds.']);
    expect(JSON.stringify(completion)).not.toContain('for 77 seconds');
    const stranger = new OpenAI({ apiKey: `${KEY}-`, baseURL: `${url}/v1`, maxRetries: 0 });
    const refused = stranger.chat.completions.create({ model: 'x', messages });
    await expect(refused).rejects.toMatchObject({ status: 401, code: 'FRESHET_UNAUTHENTICATED' });
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, type: 'authentication_error' });
  });
});

describe('the stream', () => {
  test("has the role, the text, the end and [DONE], in OpenAI's shapes", async () => {
    const { url } = await served({ generator: scripted(SUPPORTED), clock: new FakeClock() });
    const lines = await wire(url, {});
    expect(lines.at(-1)).toBe('[DONE]');
    const chunks = lines.slice(0, -1).map((line) => JSON.parse(line) as ChatChunk);
    const check = Compile(ChatChunk);
    expect(chunks.every((chunk) => check.Check(chunk) && !('usage' in chunk))).toBe(true);
    expect(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size).toBe(1);
    const choices = chunks.map(({ choices: [choice] }) => choice!);
    expect(choices.map(({ delta }) => Object.keys(delta))).toEqual([
      ['role', 'content'],
      ['content'],
      ['content'],
      ['freshet'],
    ]);
    expect(choices.map(({ finish_reason: reason }) => reason)).toEqual([null, null, null, 'stop']);
    expect(choices.at(-1)?.delta.freshet?.citations).toHaveLength(1);
  });

  test('says its usage in one more chunk, if asked to', async () => {
    const { url } = await served({ generator: scripted(SUPPORTED) });
    const lines = await wire(url, { stream_options: { include_usage: true } });
    const chunks = lines.slice(0, -1).map((line) => JSON.parse(line) as ChatChunk);
    expect(chunks.map(({ usage }) => usage?.total_tokens ?? null)).toEqual([null, null, null, null, 23]);
    expect(chunks.at(-1)?.choices).toEqual([]);
  });

  test('says that it does not know after words that turned out to have no support', async () => {
    const { url } = await served({ generator: scripted([{ kind: 'token', text: 'After a year.' }, done()]) });
    const chunks = (await wire(url, {})).slice(0, -1).map((line) => JSON.parse(line) as ChatChunk);
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toMatch(/^After a year\.\n\nI don't know/);
    expect(chunks.at(-1)?.choices[0]?.delta.freshet).toMatchObject({ refused: true, citations: [] });
  });

  test('ends without [DONE] when it fails, with an error in its place that tells nothing foreign', async () => {
    const { url } = await served({ generator: scripted(SUPPORTED.slice(0, 1), new Error('text of a document')) });
    const last = (await wire(url, {})).at(-1) ?? '';
    expect(Compile(ChatError).Check(JSON.parse(last))).toBe(true);
    expect(last).toContain('FRESHET_GENERATOR_UNAVAILABLE');
    expect(last).not.toContain('text of a document');
  });

  test('is not opened for a request that cannot be answered', async () => {
    const { bench } = await served();
    const reply = await bench.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      payload: { messages: [QUESTION], stream: true, freshet: { after: { help: '0/FFFF' }, waitMs: 0 } },
    });
    expect({ status: reply.statusCode, retry: reply.headers['retry-after'] }).toEqual({ status: 503, retry: '1' });
    expect(reply.json<ChatError>().error).toMatchObject({ code: 'FRESHET_NOT_FRESH_YET', type: 'server_error' });
  });
});

test('a conversation counts as a query, by its route', async () => {
  const { bench, client, url } = await served();
  await client.chat.completions.create({ model: 'x', messages: [QUESTION] });
  await wire(url, {});
  const metrics = await bench.app.inject({ method: 'GET', url: '/metrics' });
  expect(metrics.body).toContain('freshet_queries_total{route="/v1/chat/completions",outcome="2xx"} 2');
  expect(metrics.body).toMatch(/freshet_query_step_duration_seconds_count\{step="generate"\} 2/);
});

test.each(['', '{', '{"messages":"x"}', '{"messages":[]}'])(
  'a body of %j is refused in the shape that clients read',
  async (body) => {
    const { bench } = await served();
    const reply = await bench.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      headers: { 'content-type': 'application/json' },
      payload: body,
    });
    expect(reply.statusCode).toBe(400);
    expect(Compile(ChatError).Check(reply.json())).toBe(true);
  },
);
