import { readdirSync, readFileSync } from 'node:fs';
import type { FastifyPluginAsync } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { FailureDesk } from '../deps.ts';
import { queryBench, type QueryBench, type QueryBenchOptions } from '../../test/support/query-api.ts';

const open: QueryBench[] = [];
const bench = (options?: QueryBenchOptions): QueryBench => {
  const made = queryBench(options);
  open.push(made);
  return made;
};
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const letter: DeadLetter = {
  id: 'help.public.articles/0/7',
  state: 'open',
  stage: 'decode-change',
  code: 'FRESHET_RECORD_UNREADABLE',
  message: 'The record is not JSON.',
  attempts: 1,
  source: 'help',
  pointer: { topic: 'help.public.articles', partition: 0, offset: '7' },
  payloadHash: 'ab',
  payloadBytes: 3,
  at: 1,
};
function desk(): FailureDesk & { readonly calls: string[] } {
  const calls: string[] = [];
  const found = (verb: string, state: DeadLetter['state']) => async (id: string) => {
    calls.push(`${verb} ${id}`);
    return id === letter.id ? { ...letter, state } : undefined;
  };
  return {
    calls,
    list: async (filter) => {
      calls.push(`list ${JSON.stringify(filter)}`);
      return [letter];
    },
    show: found('show', 'open'),
    retry: found('retry', 'retried'),
    discard: found('discard', 'discarded'),
  };
}
const KEYS = {
  mode: 'required' as const,
  apiKeys: [
    { key: 'member', tenant: 'acme', groups: ['staff'] },
    { key: 'operator', tenant: 'acme', groups: ['freshet-admin'] },
  ],
};

describe('health', () => {
  test('is live always and ready only when it takes changes and queries, with the reasons', async () => {
    const b = bench({ ready: async () => ({ ready: false, reasons: ['The slot of help is lost.'] }) });
    expect((await b.app.inject('/livez')).statusCode).toBe(200);
    const ready = await b.app.inject('/readyz');
    expect({ status: ready.statusCode, body: ready.json<unknown>() }).toEqual({
      status: 503,
      body: { ready: false, reasons: ['The slot of help is lost.'] },
    });
    expect((await bench().app.inject('/readyz')).statusCode).toBe(200);
  });

  test('needs no credentials, unlike everything below /v1', async () => {
    const b = bench({ config: { auth: KEYS } });
    for (const url of ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs', '/'])
      expect((await b.app.inject(url)).statusCode).toBe(200);
    for (const url of ['/v1/freshness', '/v1/documents/a', '/v1/admin/failures', '/v1/admin/explain/a'])
      expect((await b.app.inject(url)).statusCode).toBe(401);
    for (const url of ['/v1/search', '/v1/answer', '/v1/feedback'])
      expect((await b.app.inject({ method: 'POST', url, payload: {} })).statusCode).toBe(401);
  });

  test('counts requests by route and never by id', async () => {
    const b = bench();
    await b.app.inject('/v1/documents/canary-id');
    const { body } = await b.app.inject('/metrics');
    expect(body).toContain('freshet_queries_total{route="/v1/documents/:id",outcome="4xx"} 1');
    expect(body).not.toContain('canary-id');
  });
});

describe('GET /v1/freshness', () => {
  test('states position and condition by source, and counts for operators only', async () => {
    const b = bench({ config: { auth: KEYS } });
    await b.index({ key: '1', text: 'alpha' });
    await b.advance('help', '0/30');
    const ask = async (key: string) =>
      (await b.app.inject({ url: '/v1/freshness', headers: { 'x-api-key': key } })).json<{
        sources: Record<string, object>;
      }>().sources;
    const member = await ask('member');
    expect(member['help']).toMatchObject({ kind: 'postgres', position: '0/30', state: 'streaming', lagRecords: 0 });
    expect(member['help']).not.toHaveProperty('documents');
    expect(member['crm']).toEqual({ kind: 'webhook' });
    expect((await ask('operator'))['help']).toMatchObject({ documents: 1, passages: 1 });
  });
});

describe('/v1/admin/failures', () => {
  test('lists, shows, retries and discards', async () => {
    const failures = desk();
    const b = bench({ failures });
    const url = `/v1/admin/failures/${encodeURIComponent(letter.id)}`;
    expect((await b.app.inject('/v1/admin/failures?state=open&limit=5')).json()).toEqual({ failures: [letter] });
    expect((await b.app.inject(url)).json()).toEqual(letter);
    expect((await b.app.inject({ method: 'POST', url: `${url}/retry` })).json()).toMatchObject({ state: 'retried' });
    expect((await b.app.inject({ method: 'POST', url: `${url}/discard` })).json()).toMatchObject({
      state: 'discarded',
    });
    expect(failures.calls).toEqual([
      'list {"state":"open","limit":5}',
      `show ${letter.id}`,
      `retry ${letter.id}`,
      `discard ${letter.id}`,
    ]);
    expect((await b.app.inject('/v1/admin/failures/none')).statusCode).toBe(404);
  });

  test.each(['state=all', 'limit=0', 'limit=-1', 'nope=1', 'state=open&state=open'])('refuses ?%s', async (query) => {
    expect((await bench({ failures: desk() }).app.inject(`/v1/admin/failures?${query}`)).statusCode).toBe(400);
  });

  test('are for the group freshet-admin, and with auth.mode none for this machine but not for foreign pages', async () => {
    const required = bench({ failures: desk(), config: { auth: KEYS } });
    const as = async (key: string) =>
      (await required.app.inject({ url: '/v1/admin/failures', headers: { 'x-api-key': key } })).statusCode;
    expect([await as('member'), await as('operator')]).toEqual([403, 200]);
    const failures = desk();
    const none = bench({ failures });
    const url = `/v1/admin/failures/${encodeURIComponent(letter.id)}/discard`;
    for (const headers of [{ host: 'rebound.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await none.app.inject({ method: 'POST', url, headers })).statusCode).toBe(403);
    expect(failures.calls).toEqual([]);
  });
});

describe('GET /v1/admin/explain', () => {
  test('says why a document is, is no longer, or never was searchable', async () => {
    const b = bench();
    const id = await b.index({ key: '1', text: 'alpha' });
    const explain = async (of: string) =>
      (await b.app.inject(`/v1/admin/explain/${encodeURIComponent(of)}`)).json<{
        searchable: boolean;
        reason: string;
      }>();
    expect(await explain(`${id}#0`)).toMatchObject({ searchable: true, version: '1', lineage: { chunker: 'test' } });
    await b.remove('1');
    expect(await explain(id)).toMatchObject({ searchable: false, deleted: true, version: '2' });
    expect(await explain('help/public.articles/9')).toMatchObject({ searchable: false });
  });
});

describe('POST /v1/feedback', () => {
  test('keeps the rating and not the words', async () => {
    const lines: object[] = [];
    const logger = {
      error() {},
      warn() {},
      debug() {},
      info: (message: string, fields?: object) => void lines.push({ message, ...fields }),
      child: () => logger,
    };
    const b = bench({ logger });
    const payload = { traceId: 'a'.repeat(32), rating: 'down', comment: 'canary' };
    expect((await b.app.inject({ method: 'POST', url: '/v1/feedback', payload })).statusCode).toBe(202);
    expect(lines).toEqual([expect.objectContaining({ rating: 'down', commentChars: 6, traceId: payload.traceId })]);
    expect(JSON.stringify(lines)).not.toContain('canary');
    expect(
      (await b.app.inject({ method: 'POST', url: '/v1/feedback', payload: { ...payload, rating: 5 } })).statusCode,
    ).toBe(400);
  });

  test('is counted once for each answer, by model and prompt, and apart for what is not an answer of the tenant', async () => {
    const b = bench();
    await b.index({ key: '1', text: 'A job lock is held for 30 seconds before it expires.' });
    const ask = async (question: string) => {
      const reply = await b.app.inject({ method: 'POST', url: '/v1/answer', payload: { question } });
      return reply.json<{ traceId: string }>().traceId;
    };
    const rate = async (traceId: string, rating: string, tenant = 'default') => {
      const headers = { 'x-freshet-tenant': tenant };
      const reply = await b.app.inject({ method: 'POST', url: '/v1/feedback', payload: { traceId, rating }, headers });
      expect(reply.statusCode).toBe(202);
    };
    const [answered, refused] = [
      await ask('How long is a job lock held?'),
      await ask('Who painted the Sistine Chapel?'),
    ];
    await rate(answered, 'up', 'other');
    await rate(answered, 'up');
    await rate(answered, 'up');
    await rate(answered, 'down');
    await rate(refused, 'down');
    await rate('f'.repeat(32), 'down');
    const { values } = await b.metrics.feedback.get();
    const known = { model: 'extractive', prompt: 'none' };
    const unknown = { model: 'unknown', prompt: 'unknown', outcome: 'unknown' };
    expect(values.map(({ value, labels }) => ({ value, ...labels }))).toEqual([
      { value: 1, rating: 'up', ...unknown },
      { value: 1, rating: 'up', ...known, outcome: 'answered' },
      { value: 1, rating: 'down', ...known, outcome: 'refused' },
      { value: 1, rating: 'down', ...unknown },
    ]);
  });
});

describe('the description of the API', () => {
  test('is OpenAPI 3.1 and names every route of the contract', async () => {
    const { openapi, paths } = (await bench().app.inject('/openapi.json')).json<{ openapi: string; paths: object }>();
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/search',
        '/v1/answer',
        '/v1/freshness',
        '/v1/documents/{id}',
        '/v1/feedback',
        '/readyz',
        '/v1/admin/failures',
      ]),
    );
  });
});

describe('the pages', () => {
  test('offer to change rows only where the demo has mounted its routes', async () => {
    const rows: FastifyPluginAsync = async (app) => void app.get('/demo/rows', async () => ({ rows: [] }));
    expect((await bench().app.inject('/')).body).not.toContain('data-demo');
    expect((await bench({ plugins: [rows] }).app.inject('/')).body).toContain('<html lang="en" data-demo>');
  });

  test('run nothing inline, call no other host and show texts as text', async () => {
    const b = bench();
    const page = await b.app.inject('/');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    const folder = new URL('../console/', import.meta.url);
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const text = readFileSync(new URL(file, folder), 'utf8');
      expect(text).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?:\/\/|<script>|style="|\son\w+="/,
      );
    }
    const addresses = files.map((file) => `/console/${file}`).filter((address) => !address.endsWith('.html'));
    for (const url of ['/docs', ...addresses]) expect((await b.app.inject(url)).statusCode).toBe(200);
  });
});
