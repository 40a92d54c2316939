import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { GenerateEvent, Generator } from '../../ports/generator/generator.ts';
import { queryBench, type QueryBench, type QueryBenchOptions } from '../../test/support/query-api.ts';
import { readAnswer } from './answer-stream.ts';
import { freshetClient, FreshetProblem, type FreshetClient, type StreamedAnswerEvent } from './freshet-client.ts';

const open: QueryBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const LOCKS = 'A job lock is held for 30 seconds before it expires. Workers renew it while they run.';
const QUESTION = 'How long is a job lock held before it expires?';

/** A client of a server that listens. */
async function connected(
  options?: QueryBenchOptions,
  token?: string,
): Promise<{ b: QueryBench; client: FreshetClient }> {
  const b = queryBench(options);
  open.push(b);
  const url = await b.app.listen({ host: '127.0.0.1', port: 0 });
  return { b, client: freshetClient({ url: `${url}/`, ...(token !== undefined && { token }) }) };
}

/** A client whose server says this, whatever it is asked. */
function answeredWith(reply: () => Response): FreshetClient {
  return freshetClient({ url: 'http://nowhere', fetch: async () => reply() });
}

async function problemFrom(work: Promise<unknown>): Promise<FreshetProblem> {
  const problem = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(problem).toBeInstanceOf(FreshetProblem);
  return problem as FreshetProblem;
}

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

describe('a client', () => {
  test('searches, answers, reads a document and rates the answer', async () => {
    const { b, client } = await connected();
    const id = await b.index({ key: 'a/b,c', title: 'Locks', text: LOCKS });
    const found = await client.search({ query: 'job lock', k: 1 });
    expect(found.results.map(({ documentId, rank }) => ({ documentId, rank }))).toEqual([{ documentId: id, rank: 1 }]);
    const answer = await client.answer({ question: QUESTION });
    expect(answer.citations.map(({ documentId }) => documentId)).toEqual([id]);
    expect((await client.document(id)).text).toBe(LOCKS);
    expect(await client.feedback({ traceId: answer.traceId, rating: 'up' })).toEqual({ accepted: true });
    expect((await client.freshness()).coverage).toEqual({ dense: 1 });
    expect(await client.call('listFailures', { query: { state: 'open' } })).toEqual({ failures: [] });
  });

  test('is refused with the code, the trace id and everything that is wrong', async () => {
    const { client } = await connected();
    const problem = await problemFrom(client.search({ query: '', k: 1_000 }));
    expect(problem).toMatchObject({ code: 'FRESHET_INVALID_REQUEST', status: 400 });
    expect(problem.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(problem.errors.map(({ pointer }) => pointer).toSorted()).toEqual(['/k', '/query']);
    expect(problem.message).toContain('/k');
  });

  test('shows its token to the server and to nobody else', async () => {
    const auth = { mode: 'required' as const, apiKeys: [{ key: 'canary-key', tenant: 'default' }] };
    const { b, client } = await connected({ config: { auth } }, 'canary-key');
    await b.index({ key: '1', text: LOCKS });
    expect((await client.search({ query: 'lock' })).results).toHaveLength(1);
    const { client: stranger } = await connected({ config: { auth } }, 'canary-of-another');
    const problem = await problemFrom(stranger.search({ query: 'lock' }));
    expect(problem).toMatchObject({ code: 'FRESHET_UNAUTHENTICATED', status: 401 });
    expect(inspect([client, stranger, problem], { depth: null })).not.toContain('canary');
  });

  test('asks for a token before every request, so that one that expires can be renewed', async () => {
    const sent: (string | null)[] = [];
    const tokens = ['first', 'second'];
    const client = freshetClient({
      url: 'http://nowhere',
      token: async () => tokens.shift() ?? '',
      fetch: async (_url, init) => {
        sent.push(new Headers(init?.headers).get('authorization'));
        return Response.json({});
      },
    });
    await client.freshness();
    await client.freshness();
    expect(sent).toEqual(['Bearer first', 'Bearer second']);
  });

  test("tells a proxy's page from a problem of the server", async () => {
    const page = () => new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'retry-after': '3' } });
    expect(await problemFrom(answeredWith(page).freshness())).toMatchObject({
      code: 'CLIENT_UNEXPECTED_REPLY',
      status: 502,
      retryAfterSeconds: 3,
    });
    const login = () => new Response('<h1>Sign in</h1>', { status: 200 });
    expect((await problemFrom(answeredWith(login).freshness())).code).toBe('CLIENT_UNEXPECTED_REPLY');
    const streamed = answeredWith(login).answer({ question: 'a', stream: true });
    expect((await problemFrom(all(streamed))).code).toBe('CLIENT_UNEXPECTED_REPLY');
  });
});

describe('a client after a write', () => {
  test('is answered from an index that has passed the write', async () => {
    const { b, client } = await connected();
    await b.index({ key: '1', text: LOCKS });
    const waiting = client.after({ help: '0/20' }, { waitMs: 20_000 }).search({ query: 'lock' });
    await b.advance('help', '0/30');
    expect((await waiting).asOf['help']?.position).toBe('0/30');
  });

  test('is told to come back when the index has not passed it in time', async () => {
    const { b, client } = await connected();
    await b.advance('help', '0/1F');
    const fresh = client.after({ help: '0/20' }, { waitMs: 1 });
    for (const asked of [
      fresh.search({ query: 'a' }),
      fresh.answer({ question: 'a' }),
      all(fresh.answer({ question: 'a', stream: true })),
    ])
      expect(await problemFrom(asked)).toMatchObject({
        code: 'FRESHET_NOT_FRESH_YET',
        status: 503,
        retryAfterSeconds: 1,
      });
  });

  test('keeps the positions of earlier writes, and lets a request say otherwise', async () => {
    const bodies: unknown[] = [];
    const client = freshetClient({
      url: 'http://nowhere',
      fetch: async (_url, init) => {
        bodies.push(JSON.parse(init?.body as string));
        return Response.json({});
      },
    });
    const fresh = client.after({ help: '0/1' }).after({ crm: '7' }, { waitMs: 5 });
    await fresh.search({ query: 'a' });
    await fresh.search({ query: 'a', waitMs: 9 });
    await client.search({ query: 'a' });
    const after = { help: '0/1', crm: '7' };
    expect(bodies).toEqual([{ query: 'a', after, waitMs: 5 }, { query: 'a', after, waitMs: 9 }, { query: 'a' }]);
  });
});

describe('a streamed answer', () => {
  test('is the events in their order, and ends with the whole answer', async () => {
    const { b, client } = await connected();
    await b.index({ key: '1', text: LOCKS });
    const events = await all(client.answer({ question: QUESTION, stream: true }));
    expect(events.map(({ event }) => event)).toEqual(['retrieval', 'token', 'citation', 'done']);
    const { traceId: _own, ...whole } = await client.answer({ question: QUESTION });
    expect(events.at(-1)).toMatchObject({ event: 'done', data: whole });
  });

  test('is refused as a whole one is', async () => {
    const { client } = await connected();
    const asked = all(client.answer({ question: 'a', stream: true, after: { nobody: '1' } }));
    expect(await problemFrom(asked)).toMatchObject({ code: 'FRESHET_INVALID_REQUEST', status: 400 });
  });

  test('throws what the server could not finish', async () => {
    const { b, client } = await connected({ generator: scripted([{ kind: 'token', text: 'half' }]) });
    await b.index({ key: '1', text: LOCKS });
    const seen: StreamedAnswerEvent[] = [];
    const asked = (async () => {
      for await (const event of client.answer({ question: 'lock', stream: true })) seen.push(event);
    })();
    expect(await problemFrom(asked)).toMatchObject({ code: 'FRESHET_GENERATOR_UNAVAILABLE', status: undefined });
    expect(seen.map(({ event }) => event)).toEqual(['retrieval', 'token']);
  });

  test.each(['by leaving the loop', 'by its signal'])('stops the generator on the server %s', async (how) => {
    const { generator, stopped } = endless();
    const { b, client } = await connected({ generator });
    await b.index({ key: '1', text: LOCKS });
    const abort = new AbortController();
    const read = async () => {
      for await (const { event } of client.answer({ question: 'lock', stream: true }, { signal: abort.signal })) {
        if (event !== 'token') continue;
        if (how === 'by leaving the loop') break;
        abort.abort();
      }
    };
    if (how === 'by its signal') await expect(read()).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    else await read();
    await stopped;
  });

  test('that is cut is no answer', async () => {
    const cut = () => new Response('event: token\ndata: {"text":"half"}\n\n', { headers: STREAM });
    const asked = all(answeredWith(cut).answer({ question: 'a', stream: true }));
    expect((await problemFrom(asked)).code).toBe('CLIENT_STREAM_CUT');
  });

  test('is the same however the network cuts it, in the middle of a letter too', async () => {
    const done = { answer: 'äöü 深い', citations: [] };
    const wire = `: heartbeat\n\nevent: token\ndata: {"text":"äöü 深い"}\n\nevent: done\ndata: ${JSON.stringify(done)}\n\n`;
    const bytes = new TextEncoder().encode(wire);
    const whole = [
      { event: 'token', data: { text: 'äöü 深い' } },
      { event: 'done', data: done },
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, index) => bytes.slice(at[index], end));
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            for (const piece of pieces) controller.enqueue(piece);
            controller.close();
          },
        });
        expect(await all(readAnswer(body))).toEqual(whole);
      }),
    );
  });
});

const STREAM = { 'content-type': 'text/event-stream; charset=utf-8' };

function scripted(events: readonly GenerateEvent[]): Generator {
  return {
    model: 'scripted',
    async *generate() {
      yield* events;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Says one word and then waits until it is told to stop; `stopped` resolves then. */
function endless(): { readonly generator: Generator; readonly stopped: Promise<void> } {
  let tell = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const generator: Generator = {
    model: 'endless',
    async *generate(_request, signal) {
      yield { kind: 'token', text: 'and ' };
      await new Promise<void>((resolve) => {
        signal?.addEventListener('abort', () => resolve());
      });
      tell();
      signal?.throwIfAborted();
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { generator, stopped };
}
