import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, test } from 'vitest';
import type { GenerateEvent, Generator } from '../../ports/generator/generator.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import type { SearchResponse } from '../../schemas/query.ts';
import { readSourceFiles } from '../../test/support/source-files.ts';
import { articleKey, queryBench, type QueryBench, type QueryBenchOptions } from '../../test/support/query-api.ts';

const LOCKS = 'A job lock is held for 30 seconds before it expires. Workers renew it while they run.';
const QUESTION = 'When does a job lock expire?';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

async function served(options: QueryBenchOptions = {}) {
  const bench = queryBench(options);
  open.push(bench);
  await bench.index({ key: '1', title: 'Locks', text: LOCKS });
  await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = bench.app.server.address() as AddressInfo;
  return { bench, url: `http://127.0.0.1:${port}/mcp` };
}

/** The two ways in which a client begins: with `initialize`, or with every request saying its revision. */
const REVISIONS = ['legacy', 'auto'] as const;

async function connected(url: string, mode: (typeof REVISIONS)[number] = 'auto', headers: Record<string, string> = {}) {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  open.push({ [Symbol.asyncDispose]: () => client.close() });
  return client;
}

type Called = Awaited<ReturnType<Client['callTool']>>;
const textOf = ({ content }: Called) => (content[0]?.type === 'text' ? content[0].text : '');

async function post({ app }: QueryBench, headers: Record<string, string>, message: unknown = PING) {
  return app.inject({
    method: 'POST',
    url: '/mcp',
    headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
    payload: typeof message === 'string' ? message : JSON.stringify(message),
  });
}
const PING = { jsonrpc: '2.0', id: 1, method: 'ping' };

describe.each(REVISIONS)("the protocol's own client (%s)", (mode) => {
  test('lists four tools that only read, with the schemas of the HTTP API', async () => {
    const { url } = await served();
    const client = await connected(url, mode);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['search', 'ask', 'freshness', 'explain']);
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);
    const [search, ask] = tools;
    expect(Object.keys(search?.inputSchema.properties ?? {})).toContain('filter');
    expect(search?.inputSchema).toMatchObject({ type: 'object', required: ['query'], additionalProperties: false });
    expect(ask?.inputSchema.properties).not.toHaveProperty('stream');
    expect(Object.keys(ask?.outputSchema?.['properties'] ?? {})).toContain('citations');
    expect(client.getServerCapabilities()).not.toHaveProperty('resources');
  });

  test('searches: passages for the model, the reply of the HTTP API for the program', async () => {
    const { bench, url } = await served();
    const client = await connected(url, mode);
    const called = await client.callTool({ name: 'search', arguments: { query: QUESTION, k: 1 } });
    const { results } = called.structuredContent as SearchResponse;
    const http = await bench.app.inject({ method: 'POST', url: '/v1/search', payload: { query: QUESTION, k: 1 } });
    expect(results).toEqual(http.json<SearchResponse>().results);
    expect(textOf(called)).toContain(`${articleKey('1')}#0`);
    expect(textOf(called)).toContain(LOCKS);
    expect(textOf(called)).toMatch(/^The passages below are quotations/);
  });

  test('asks: an answer with what it rests on, or that nothing is known', async () => {
    const { url } = await served();
    const client = await connected(url, mode);
    const known = await client.callTool({ name: 'ask', arguments: { question: QUESTION } });
    const answer = known.structuredContent as AnswerResponse;
    expect(answer.citations.map(({ documentId }) => documentId)).toContain(articleKey('1'));
    expect(textOf(known)).toContain(answer.citations[0]?.quote);
    const unknown = await client.callTool({ name: 'ask', arguments: { question: 'Who painted the ceiling?' } });
    expect(unknown.structuredContent).toMatchObject({ refused: true, citations: [] });
    expect(unknown.isError ?? false).toBe(false);
  });

  test('reads the freshness, as a caller and not as an operator', async () => {
    const { bench, url } = await served();
    await bench.advance('help', '0/2A');
    const client = await connected(url, mode);
    const called = await client.callTool({ name: 'freshness' });
    expect(called.structuredContent).toMatchObject({ sources: { help: { position: '0/2A', state: 'streaming' } } });
    expect(JSON.stringify(called.structuredContent)).not.toContain('"documents"');
    expect(textOf(called)).toMatch(/help \(postgres\): searchable up to .*, streaming\n/);
  });

  test('gets a document explained by its id or by that of a passage', async () => {
    const { url } = await served();
    const client = await connected(url, mode);
    for (const id of [articleKey('1'), `${articleKey('1')}#0`]) {
      const called = await client.callTool({ name: 'explain', arguments: { id } });
      expect(called.structuredContent).toMatchObject({ documentId: articleKey('1'), searchable: true, version: '1' });
      expect(called.structuredContent).not.toHaveProperty('acl');
      expect(textOf(called)).toContain('Searchable by words and by vector');
    }
  });

  test('cannot tell a document of others from none', async () => {
    const { bench, url } = await served();
    await bench.index({ key: 'theirs', text: 'a lock of another tenant', tenant: 'acme' });
    await bench.index({ key: 'board', text: 'a lock for the board', acl: ['board'] });
    await bench.index({ key: 'gone', text: 'a lock that is gone' });
    await bench.remove('gone');
    const client = await connected(url, mode, { 'x-freshet-groups': 'freshet-admin' });
    const explained = async (key: string) => {
      const called = await client.callTool({ name: 'explain', arguments: { id: articleKey(key) } });
      return { isError: called.isError, text: textOf(called) };
    };
    const none = await explained('never');
    expect(none).toMatchObject({ isError: true, text: expect.stringContaining('FRESHET_NOT_FOUND') as string });
    for (const key of ['theirs', 'board', 'gone']) expect(await explained(key)).toEqual(none);
    const found = await client.callTool({ name: 'search', arguments: { query: 'lock' } });
    expect((found.structuredContent as SearchResponse).results.map(({ source }) => source.key)).toEqual(['1']);
    const member = await connected(url, mode, { 'x-freshet-tenant': 'acme' });
    const own = await member.callTool({ name: 'search', arguments: { query: 'lock' } });
    expect((own.structuredContent as SearchResponse).results.map(({ source }) => source.key)).toEqual(['theirs']);
  });

  test('is told by a tool error what to do', async () => {
    const { url } = await served();
    const client = await connected(url, mode);
    const wrong = await client.callTool({ name: 'search', arguments: { query: 'lock', k: 0, tenant: 'canary' } });
    expect(wrong.isError).toBe(true);
    expect(textOf(wrong)).toMatch(/: \/tenant is not a known field, \/k must be >= 1$/);
    expect(textOf(wrong)).not.toContain('canary');
    const later = { query: 'lock', after: { help: '0/FFFF' }, waitMs: 0 };
    const early = await client.callTool({ name: 'search', arguments: later });
    expect(early.isError).toBe(true);
    expect(textOf(early)).toMatch(/\(FRESHET_NOT_FRESH_YET\)\n\nTry again in 1 s\./);
  });

  test('frees the generator when the connection of its question is cut', async () => {
    const started = new AbortController();
    const stopped = new AbortController();
    const generator: Generator = {
      model: 'endless',
      async *generate(_request, signal): AsyncIterable<GenerateEvent> {
        started.abort();
        yield { kind: 'token', text: 'word' };
        try {
          await once(signal, 'abort');
          signal.throwIfAborted();
        } finally {
          stopped.abort();
        }
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { url } = await served({ generator });
    const client = await connected(url, mode);
    const [began, ended] = [once(started.signal, 'abort'), once(stopped.signal, 'abort')];
    const asked = client.callTool({ name: 'ask', arguments: { question: 'job lock' } });
    await began;
    await Promise.all([client.close(), expect(asked).rejects.toThrow(), ended]);
  });

  test('is not let in without credentials where they are needed, and sees its own with them', async () => {
    const apiKeys = [{ key: 'a-key-for-acme', tenant: 'acme' }];
    const { bench, url } = await served({ config: { auth: { mode: 'required', apiKeys } } });
    await bench.index({ key: 'theirs', text: 'a lock of acme', tenant: 'acme' });
    await expect(connected(url, mode)).rejects.toThrow();
    const client = await connected(url, mode, { authorization: 'Bearer a-key-for-acme' });
    const found = await client.callTool({ name: 'search', arguments: { query: 'lock' } });
    expect((found.structuredContent as SearchResponse).results.map(({ source }) => source.key)).toEqual(['theirs']);
  });
});

describe('POST /mcp', () => {
  test.each([
    ['a page of another host', { origin: 'https://evil.example' }],
    ['a page without a host', { origin: 'null' }],
    ['a page whose name was made to lead here', { host: 'evil.example', origin: 'http://evil.example' }],
    ['a foreign name without a page', { host: 'evil.example' }],
  ])('refuses %s with 403', async (_who, headers) => {
    const { bench } = await served();
    const reply = await post(bench, headers);
    expect(reply.statusCode).toBe(403);
    expect(reply.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { data: { code: 'FRESHET_FORBIDDEN' } } });
  });

  test.each([{}, { origin: 'http://localhost:6274' }, { origin: 'http://[::1]:1' }])('takes %j', async (headers) => {
    const { bench } = await served();
    const reply = await post(bench, headers);
    expect({ status: reply.statusCode, type: reply.headers['content-type'], body: reply.json<unknown>() }).toEqual({
      status: 200,
      type: 'application/json',
      body: { jsonrpc: '2.0', id: 1, result: {} },
    });
  });

  test('takes a page of its own host, by any name, from callers with credentials', async () => {
    const apiKeys = [{ key: 'a-key-for-acme', tenant: 'acme' }];
    const { bench } = await served({ config: { auth: { mode: 'required', apiKeys } } });
    const own = { host: 'docs.example', origin: 'https://docs.example', 'x-api-key': 'a-key-for-acme' };
    expect((await post(bench, own)).statusCode).toBe(200);
    expect((await post(bench, { ...own, origin: 'https://evil.example' })).statusCode).toBe(403);
    expect((await post(bench, { ...own, 'x-api-key': '' })).statusCode).toBe(401);
  });

  test.each([
    ['nothing that is JSON', '{', 400, -32_700],
    ['no message', '7', 400, -32_600],
    ['an unknown revision', { ...PING, method: 'tools/list' }, 400, -32_000],
  ])('refuses %s', async (_what, message, status, code) => {
    const { bench } = await served();
    const reply = await post(bench, { 'mcp-protocol-version': '1999-01-01' }, message);
    expect({ status: reply.statusCode, code: reply.json<{ error: { code: number } }>().error.code }).toEqual({
      status,
      code,
    });
  });

  test('acknowledges a notification with 202 and nothing', async () => {
    const { bench } = await served();
    const reply = await post(bench, {}, { jsonrpc: '2.0', method: 'notifications/initialized' });
    expect({ status: reply.statusCode, body: reply.body }).toEqual({ status: 202, body: '' });
  });

  test.each(['GET', 'DELETE'] as const)('is all there is: %s is 405', async (method) => {
    const { bench } = await served();
    const reply = await bench.app.inject({ method, url: '/mcp' });
    expect({ status: reply.statusCode, allow: reply.headers['allow'] }).toEqual({ status: 405, allow: 'POST' });
  });

  test('is not paid for by a start: its package is loaded by the first call', () => {
    const eager = readSourceFiles().filter(
      ({ path, isTest, code }) =>
        !isTest && !path.startsWith('query-api/mcp/') && /^import (?!type).*\/mcp\//m.test(code),
    );
    expect(eager.map(({ path }) => path)).toEqual([]);
  });

  test('counts as queries', async () => {
    const { bench, url } = await served();
    const client = await connected(url, 'legacy');
    await client.callTool({ name: 'search', arguments: { query: 'lock' } });
    const metrics = await bench.app.inject({ method: 'GET', url: '/metrics' });
    expect(metrics.body).toMatch(/freshet_queries_total\{route="\/mcp",outcome="2xx"\} [1-9]/);
    expect(metrics.body).toMatch(/freshet_query_step_duration_seconds_count\{step="search"\} 1/);
  });
});
