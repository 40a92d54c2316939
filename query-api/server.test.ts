import { afterEach, describe, expect, test } from 'vitest';
import type { GenerateEvent, Generator } from '../ports/generator/generator.ts';
import type { SearchResponse } from '../schemas/query.ts';
import type { AnswerEvent, AnswerResponse } from '../schemas/answer.ts';
import { articleKey, queryBench, type QueryBench, type QueryBenchOptions } from '../test/support/query-api.ts';
import type { Problem } from '../schemas/problem.ts';

const open: QueryBench[] = [];
const bench = (options?: QueryBenchOptions): QueryBench => {
  const made = queryBench(options);
  open.push(made);
  return made;
};
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function post<T>({ app }: QueryBench, url: string, payload: unknown, headers: Record<string, string> = {}) {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const reply = await app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return { status: reply.statusCode, headers: reply.headers, body: JSON.parse(reply.body) as T };
}
async function get<T>({ app }: QueryBench, url: string, headers: Record<string, string> = {}) {
  const reply = await app.inject({ method: 'GET', url, headers });
  return { status: reply.statusCode, headers: reply.headers, body: JSON.parse(reply.body) as T };
}
const LOCKS = 'A job lock is held for 30 seconds before it expires. Workers renew it while they run.';

describe('POST /v1/search', () => {
  test('finds a passage and says where it is from', async () => {
    const b = bench();
    const id = await b.index({ key: '1', title: 'Locks', text: LOCKS, metadata: { category: 'jobs' } });
    await b.index({ key: '2', text: 'Queues hold jobs until a worker takes them.' });
    const { status, body } = await post<SearchResponse>(b, '/v1/search', { query: 'when does a lock expire' });
    expect(status).toBe(200);
    expect(body.results[0]).toEqual({
      passageId: `${id}#0`,
      documentId: id,
      title: 'Locks',
      headings: [],
      text: LOCKS,
      rank: 1,
      version: '1',
      committedAt: expect.any(Number) as number,
      indexedAt: expect.any(Number) as number,
      source: { name: 'help', table: 'public.articles', key: '1' },
      span: { start: 0, end: LOCKS.length },
      metadata: { category: 'jobs' },
    });
    expect(body.coverage).toEqual({ dense: 1 });
    expect(Object.keys(body.timingsMs).sort()).toEqual(['embed', 'search', 'total', 'wait']);
    expect(body.traceId).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    ['an unknown field', { query: 'a', tenant: 'other' }, '/tenant'],
    ['a list for a scalar', { query: ['a'] }, '/query'],
    ['an operator for a scalar', { query: { $ne: 1 } }, '/query'],
    ['no query', {}, '/query'],
    ['an empty query', { query: '' }, '/query'],
    ['a negative k', { query: 'a', k: -1 }, '/k'],
    ['a huge k', { query: 'a', k: 1e9 }, '/k'],
    ['a fraction of k', { query: 'a', k: 1.5 }, '/k'],
    ['an unknown mode', { query: 'a', mode: 'all' }, '/mode'],
    ['an operator in a filter', { query: 'a', filter: { category: { $ne: 1 } } }, '/filter/category/$ne'],
    ['a filter under a name with a line break', { query: 'a', filter: { 'a\nb': { $ne: 1 } } }, '/filter/a\nb'],
    ['a negative wait', { query: 'a', waitMs: -1 }, '/waitMs'],
    ['a position that is a number', { query: 'a', after: { help: 7 } }, '/after/help'],
    ['an unknown source', { query: 'a', after: { nobody: '0/1' } }, '/after/nobody'],
    ['a malformed LSN', { query: 'a', after: { help: '12' } }, '/after/help'],
    ['a malformed number', { query: 'a', after: { crm: '0/1' } }, '/after/crm'],
  ])('refuses %s with 400 and its place', async (_what, body, pointer) => {
    const reply = await post<Problem>(bench(), '/v1/search', body);
    expect(reply.status).toBe(400);
    expect(reply.headers['content-type']).toContain('application/problem+json');
    expect(reply.body.code).toBe('FRESHET_INVALID_REQUEST');
    expect(reply.body.errors?.map((fault) => fault.pointer)).toContain(pointer);
  });

  test.each([
    '{"query":"a","__proto__":{"k":1}}',
    '{"query":"a","query":"b"}',
    '{"query":',
    '[]',
    'null',
    '{"query":"a","k":1e400}',
  ])('refuses %s with 400', async (body) => {
    expect((await post<Problem>(bench(), '/v1/search', body)).status).toBe(400);
    expect(({} as { k?: unknown }).k).toBeUndefined();
  });

  test('names every fault at once and repeats nothing that was sent', async () => {
    const { body } = await post<Problem>(bench(), '/v1/search', {
      query: 7,
      k: 'canary-in-a-value',
      mode: 'x',
      nope: 1,
    });
    expect(body.errors?.map(({ pointer }) => pointer).sort()).toEqual(['/k', '/mode', '/nope', '/query']);
    expect(JSON.stringify(body)).not.toContain('canary');
  });

  test('refuses another media type with 415 and a large body with 413', async () => {
    const b = bench();
    expect((await post(b, '/v1/search', 'query=a', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(b, '/v1/search', { query: 'x'.repeat(1_100_000) })).status).toBe(413);
  });

  test('answers from the words alone while the embedder hangs, and says so', async () => {
    const hanging = queryBenchEmbedder('hangs');
    const b = bench({ embedder: hanging });
    await b.index({ key: '1', text: LOCKS });
    const { status, body } = await post<SearchResponse>(b, '/v1/search', { query: 'job lock' });
    expect(status).toBe(200);
    expect(body.results).toHaveLength(1);
    expect({ degraded: body.degraded, coverage: body.coverage }).toEqual({
      degraded: ['dense'],
      coverage: { dense: 0 },
    });
    expect((await post<Problem>(b, '/v1/search', { query: 'job lock', mode: 'dense' })).body.code).toBe(
      'FRESHET_EMBEDDER_UNAVAILABLE',
    );
  });
});

describe('a scope', () => {
  test('shows nothing of another tenant or above the groups', async () => {
    const b = bench();
    await b.index({ key: '1', text: 'alpha public note' });
    await b.index({ key: '2', text: 'alpha of another tenant', tenant: 'acme' });
    await b.index({ key: '3', text: 'alpha for staff', acl: ['staff'] });
    await b.index({ key: '4', text: 'alpha for nobody', acl: [] });
    const keys = async (headers: Record<string, string>, mode: string) =>
      (await post<SearchResponse>(b, '/v1/search', { query: 'alpha', mode }, headers)).body.results
        .map(({ source }) => source.key)
        .sort();
    for (const mode of ['lexical', 'dense', 'hybrid']) {
      expect(await keys({}, mode)).toEqual(['1']);
      expect(await keys({ 'x-freshet-groups': 'staff, other' }, mode)).toEqual(['1', '3']);
      expect(await keys({ 'x-freshet-tenant': 'acme', 'x-freshet-groups': 'staff' }, mode)).toEqual(['2']);
      expect(await keys({ 'x-freshet-tenant': '*' }, mode)).toEqual([]);
    }
  });

  test('gives the same 404 for an unknown, a deleted and a forbidden document', async () => {
    const b = bench();
    await b.index({ key: '1', text: 'alpha' });
    await b.index({ key: '2', text: 'alpha', acl: ['staff'] });
    await b.index({ key: '3', text: 'alpha' });
    await b.remove('3');
    const url = (key: string) => `/v1/documents/${encodeURIComponent(articleKey(key))}`;
    expect((await get(b, url('1'))).status).toBe(200);
    const refusals = [];
    for (const key of ['2', '3', '4']) {
      const { body } = await get<Problem>(b, url(key));
      refusals.push({ ...body, traceId: '' });
    }
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1);
    expect(refusals[0]).toMatchObject({ status: 404, code: 'FRESHET_NOT_FOUND' });
    expect((await get(b, url('2'), { 'x-freshet-groups': 'staff' })).status).toBe(200);
  });

  test.each(['a/b', 'a%2Fb', 'a,b', 'ü #?&', '100%', 'x'.repeat(2_000)])(
    'reads a document back by the id of key %j',
    async (key) => {
      const b = bench();
      const id = await b.index({ key, text: 'alpha' });
      const { status, body } = await get<{ documentId: string }>(b, `/v1/documents/${encodeURIComponent(id)}`);
      expect({ status, id: body.documentId }).toEqual({ status: 200, id });
    },
  );
});

describe('waiting for a position', () => {
  test('answers as soon as the index has passed it, and claims no more than it had before the search', async () => {
    const b = bench();
    await b.index({ key: '1', text: LOCKS });
    const waiting = post<SearchResponse>(b, '/v1/search', {
      query: 'lock',
      after: { help: '0/20', crm: '7' },
      waitMs: 20_000,
    });
    await b.advance('help', '0/30');
    await b.advance('crm', '9');
    const { status, body } = await waiting;
    expect(status).toBe(200);
    expect(body.asOf).toEqual({
      help: { position: '0/30', committedAt: expect.any(Number) as number },
      crm: { position: '9', committedAt: expect.any(Number) as number },
    });
  });

  test('is given up after waitMs with 503 and Retry-After', async () => {
    const b = bench();
    await b.advance('help', '0/1F');
    const reply = await post<Problem>(b, '/v1/search', { query: 'lock', after: { help: '0/20' }, waitMs: 10 });
    expect(reply).toMatchObject({
      status: 503,
      body: { code: 'FRESHET_NOT_FRESH_YET' },
      headers: { 'retry-after': '1' },
    });
  });

  test('for complete does not take searchable for it', async () => {
    const b = bench();
    await b.advance('help', '0/30');
    const body = { query: 'lock', after: { help: '0/20' }, waitFor: 'complete', waitMs: 10 };
    expect((await post(b, '/v1/search', body)).status).toBe(503);
    await b.advance('help', '0/30', 'complete');
    expect((await post(b, '/v1/search', body)).status).toBe(200);
  });
});

describe('POST /v1/answer', () => {
  test('quotes its evidence letter for letter', async () => {
    const b = bench();
    const id = await b.index({ key: '1', title: 'Locks', text: LOCKS });
    const { body } = await post<AnswerResponse>(b, '/v1/answer', {
      question: 'How long is a job lock held before it expires?',
    });
    expect(body).toMatchObject({ refused: false, cached: false, model: 'extractive' });
    expect(body.answer).toBe('A job lock is held for 30 seconds before it expires. [1]');
    expect(body.citations).toEqual([
      {
        marker: 1,
        passageId: `${id}#0`,
        documentId: id,
        quote: 'A job lock is held for 30 seconds before it expires.',
        version: '1',
        committedAt: expect.any(Number) as number,
      },
    ]);
  });

  test('says that it does not know when the index holds nothing about it', async () => {
    const b = bench();
    await b.index({ key: '1', text: LOCKS });
    const { body } = await post<AnswerResponse>(b, '/v1/answer', { question: 'Who composed the Goldberg Variations?' });
    expect(body).toMatchObject({ refused: true, citations: [] });
  });

  test('streams the same answer as events in their order', async () => {
    const b = bench();
    await b.index({ key: '1', text: LOCKS });
    const question = 'How long is a job lock held before it expires?';
    const reply = await b.app.inject({ method: 'POST', url: '/v1/answer', payload: { question, stream: true } });
    expect(reply.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const events = eventsOf(reply.body);
    expect(events.map(({ event }) => event)).toEqual(['retrieval', 'token', 'citation', 'done']);
    const whole = await post<AnswerResponse>(b, '/v1/answer', { question });
    expect(events.at(-1)).toMatchObject({ event: 'done', data: { answer: whole.body.answer } });
  });

  test('refuses a bad request for a stream with a problem, not with a stream', async () => {
    const reply = await post<Problem>(bench(), '/v1/answer', { question: 'a', stream: true, after: { nobody: '1' } });
    expect({ status: reply.status, code: reply.body.code }).toEqual({ status: 400, code: 'FRESHET_INVALID_REQUEST' });
  });

  test('drops a citation whose quote is not in its passage, and refuses an answer that has none left', async () => {
    const b = bench({
      generator: scripted([
        { kind: 'token', text: 'Made up. [1]' },
        { kind: 'citation', marker: 1, quote: 'Made up.' },
        { kind: 'citation', marker: 99, quote: 'A job lock' },
        { kind: 'done', refused: false, usage: { promptTokens: 1, completionTokens: 1 } },
      ]),
    });
    await b.index({ key: '1', text: LOCKS });
    const { body } = await post<AnswerResponse>(b, '/v1/answer', { question: 'lock' });
    expect(body).toMatchObject({ refused: true, citations: [], reason: 'no citation could be verified' });
    expect(body.answer).not.toContain('Made up');
  });

  test('ends with an error event when a cited document is deleted meanwhile', async () => {
    const made: { bench?: QueryBench } = {};
    const b = bench({
      generator: {
        ...scripted([]),
        async *generate() {
          yield { kind: 'token', text: 'A job lock [1]' };
          await made.bench?.remove('1');
          yield { kind: 'citation', marker: 1, quote: 'A job lock' };
          yield { kind: 'done', refused: false, usage: { promptTokens: 1, completionTokens: 1 } };
        },
      },
    });
    made.bench = b;
    await b.index({ key: '1', text: LOCKS });
    const reply = await b.app.inject({
      method: 'POST',
      url: '/v1/answer',
      payload: { question: 'lock', stream: true },
    });
    expect(eventsOf(reply.body).at(-1)).toMatchObject({ event: 'error', data: { code: 'FRESHET_EVIDENCE_WITHDRAWN' } });
  });

  test('tells a generator that breaks off as an error with a code', async () => {
    const b = bench({ generator: scripted([{ kind: 'token', text: 'half' }]) });
    await b.index({ key: '1', text: LOCKS });
    expect((await post<Problem>(b, '/v1/answer', { question: 'lock' })).body.code).toBe(
      'FRESHET_GENERATOR_UNAVAILABLE',
    );
  });
});

describe('errors', () => {
  test('of ours that are not for callers show neither message nor cause', async () => {
    const b = bench({
      generator: {
        ...scripted([]),
        // oxlint-disable-next-line require-yield -- it fails before its first event
        async *generate() {
          throw new Error('canary: text of a document');
        },
      },
    });
    await b.index({ key: '1', text: LOCKS });
    const { status, body } = await post<Problem>(b, '/v1/answer', { question: 'lock' });
    expect(status).toBe(503);
    expect(JSON.stringify(body)).not.toContain('canary');
  });

  test('are problems also for an unknown address and a broken one', async () => {
    const b = bench();
    expect((await get<Problem>(b, '/v1/nothing')).body).toMatchObject({ status: 404, code: 'FRESHET_NOT_FOUND' });
    expect((await get<Problem>(b, '/v1/documents/%E0%A4%A')).body).toMatchObject({
      status: 400,
      code: 'FRESHET_INVALID_REQUEST',
    });
  });
});

function queryBenchEmbedder(_how: 'hangs') {
  const tokens = { count: (text: string) => text.split(/\s+/).length, starts: () => new Uint32Array() };
  return {
    model: { name: 'stuck', revision: '1', dimensions: 256, maxTokens: 512, fingerprint: 'stuck' },
    tokenizer: tokens,
    embed: (_texts: readonly string[], _kind: 'passage' | 'query', signal?: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function scripted(events: readonly GenerateEvent[]): Generator {
  return {
    model: 'scripted',
    async *generate() {
      yield* events;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function eventsOf(stream: string): AnswerEvent[] {
  return stream
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      return { event, data: JSON.parse(data ?? 'null') as unknown } as AnswerEvent;
    });
}
