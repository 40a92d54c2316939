import { afterEach, describe, expect, test } from 'vitest';
import type { Reranker, RerankRequest } from '../ports/reranker/reranker.ts';
import { teiReranker } from '../ports/reranker/tei-reranker.ts';
import { systemClock } from '../runtime/clock.ts';
import { RerankerUnavailable, type RerankFailure } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import type { AnswerResponse } from '../schemas/answer.ts';
import type { SearchResponse } from '../schemas/query.ts';
import { queryBench, type QueryBench } from '../test/support/query-api.ts';
import { startRerankStub } from '../test/support/rerank-stub.ts';
import type { Reranking } from './answer/rerank.ts';

const open: QueryBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** Prefers texts that hold `best`; keeps what it was asked. */
function preferring(best: string, before?: (signal: AbortSignal) => Promise<void>) {
  const asked: RerankRequest[] = [];
  const reranker: Reranker = {
    name: 'preferring',
    score: async (request, signal) => {
      asked.push(request);
      await before?.(signal);
      return request.texts.map((text) => (text.includes(best) ? 1 : 0));
    },
    probe: async () => 'serves nothing',
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { reranker, asked };
}

/** Twelve documents about the same, of which the lexical leg likes the first ones most. */
async function benchOf(reranking?: Partial<Reranking>): Promise<QueryBench> {
  const { reranker = preferring('nothing').reranker, ...rest } = reranking ?? {};
  const full: Reranking = { reranker, use: 'always', candidates: 10, timeoutMs: 500, ...rest };
  const bench = queryBench(reranking && { reranking: full });
  open.push(bench);
  for (let i = 0; i < 12; i++)
    await bench.index({ key: `k${i}`, title: `Title ${i}`, text: `alpha ${'other words '.repeat(i)} number${i}` });
  return bench;
}

async function search(bench: QueryBench, body: object = {}, headers: Record<string, string> = {}) {
  const reply = await bench.app.inject({
    method: 'POST',
    url: '/v1/search',
    headers,
    body: { query: 'alpha', mode: 'lexical', k: 3, ...body },
  });
  expect(reply.statusCode).toBe(200);
  return JSON.parse(reply.body) as SearchResponse;
}
const keysOf = ({ results }: SearchResponse) => results.map(({ source }) => source.key);
const outcomes = async ({ metrics }: QueryBench) =>
  Object.fromEntries((await metrics.rerankQueries.get()).values.map(({ labels, value }) => [labels.outcome, value]));

describe('a search with a reranker', () => {
  test('puts what it prefers first, of more passages than were asked for, and keeps the order of the others', async () => {
    const { reranker, asked } = preferring('number7');
    const bench = await benchOf({ reranker });
    const plain = await search(bench, { rerank: false, k: 12 });
    const reply = await search(bench);
    expect(keysOf(reply)).toEqual(['k7', ...keysOf(plain).slice(0, 2)]);
    expect(reply.results.map(({ rank }) => rank)).toEqual([1, 2, 3]);
    expect(reply.reranked).toBe(true);
    expect(reply.timingsMs['rerank']).toBeGreaterThanOrEqual(0);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ query: 'alpha', timeoutMs: 500 });
    expect(asked[0]?.texts).toHaveLength(10);
    expect(asked[0]?.texts[0]).toMatch(/^Title 0\n\nalpha/);
    expect(await outcomes(bench)).toEqual({ reranked: 1 });
  });

  test('leaves those after the candidates behind them, however many were asked for', async () => {
    const { reranker } = preferring('number1');
    const bench = await benchOf({ reranker, candidates: 4 });
    const plain = keysOf(await search(bench, { rerank: false, k: 12 }));
    const reply = keysOf(await search(bench, { k: 12 }));
    expect(reply.slice(4)).toEqual(plain.slice(4));
    expect(reply[0]).toBe('k1');
    expect([...reply].sort()).toEqual([...plain].sort());
  });

  test('is used as the config says, unless the query says otherwise', async () => {
    for (const use of ['always', 'asked'] as const) {
      const { reranker, asked } = preferring('number7');
      const bench = await benchOf({ reranker, use });
      const byDefault = await search(bench);
      expect({ reranked: byDefault.reranked, asked: asked.length }).toEqual(
        use === 'always' ? { reranked: true, asked: 1 } : { reranked: undefined, asked: 0 },
      );
      expect((await search(bench, { rerank: true })).reranked).toBe(true);
      expect((await search(bench, { rerank: false })).reranked).toBeUndefined();
    }
  });

  test('that finds one passage or none asks nobody', async () => {
    const { reranker, asked } = preferring('number7');
    const bench = await benchOf({ reranker });
    expect((await search(bench, { query: 'number3' })).reranked).toBe(true);
    expect((await search(bench, { query: 'nowhere' })).reranked).toBe(true);
    expect(asked).toEqual([]);
  });

  test('sends nothing that the caller may not see', async () => {
    const { reranker, asked } = preferring('number7');
    const bench = await benchOf({ reranker });
    await bench.index({ key: 'other', text: 'alpha secret', tenant: 'acme' });
    await bench.index({ key: 'staff', text: 'alpha secret', acl: ['staff'] });
    await bench.index({ key: 'nobody', text: 'alpha secret', acl: [] });
    await bench.index({ key: 'filtered', text: 'alpha secret', metadata: { category: 'b' } });
    await bench.index({ key: 'a1', text: 'alpha one', metadata: { category: 'a' } });
    await bench.index({ key: 'a2', text: 'alpha two', metadata: { category: 'a' } });
    for (const mode of ['lexical', 'dense', 'hybrid']) await search(bench, { mode, filter: { category: 'a' } });
    expect(asked.map(({ texts }) => [...texts].sort())).toEqual(Array(3).fill(['alpha one', 'alpha two']));
    await search(bench, {}, { 'x-freshet-groups': 'staff' });
    expect(asked.at(-1)?.texts).toContain('alpha secret');
  });

  test('without one in the config says that the order is not reranked', async () => {
    const bench = await benchOf();
    expect((await search(bench, { rerank: true })).reranked).toBe(false);
    expect((await search(bench)).reranked).toBeUndefined();
  });
});

describe('a reranker that fails', () => {
  test.each<RerankFailure>(['timeout', 'busy', 'down', 'overloaded', 'failed', 'refused', 'forbidden', 'unusable'])(
    'costs its order and nothing else: %s',
    async (failure) => {
      const { reranker } = preferring('number7', async () => {
        throw new RerankerUnavailable('no', { failure });
      });
      const bench = await benchOf({ reranker });
      const reply = await search(bench);
      expect(keysOf(reply)).toEqual(keysOf(await search(bench, { rerank: false })));
      expect(reply.reranked).toBe(false);
      expect(await outcomes(bench)).toEqual({ [failure]: 1 });
    },
  );

  test('with a bug of its own is no error of the search', async () => {
    const { reranker } = preferring('number7', async () => {
      throw new TypeError('undefined is not a function');
    });
    const bench = await benchOf({ reranker });
    expect((await search(bench)).reranked).toBe(false);
    expect(await outcomes(bench)).toEqual({ failed: 1 });
  });

  test('and hangs is given up when the server stops: the reply comes with the order of both legs', async () => {
    const hanging = (signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    const { reranker, asked } = preferring('number7', hanging);
    const bench = await benchOf({ reranker });
    const pending = search(bench);
    while (asked.length === 0) await new Promise(setImmediate);
    await bench.app.close();
    expect((await pending).reranked).toBe(false);
    expect(await outcomes(bench)).toEqual({ stopped: 1 });
  });
});

test('a caller who has left ends the reranking, and nobody is answered', async () => {
  const { reranker, asked } = preferring('number7', (signal) => {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  });
  const bench = await benchOf({ reranker });
  const address = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const caller = new AbortController();
  const body = JSON.stringify({ query: 'alpha', mode: 'lexical' });
  const headers = { 'content-type': 'application/json' };
  const pending = fetch(`${address}/v1/search`, { method: 'POST', headers, body, signal: caller.signal });
  while (asked.length === 0) await new Promise(setImmediate);
  caller.abort();
  await expect(pending).rejects.toThrow('abort');
  const ended = async () => (await bench.metrics.queries.get()).values.length > 0;
  while (!(await ended())) await new Promise(setImmediate);
  expect(await outcomes(bench)).toEqual({});
});

describe('over HTTP', () => {
  const parts = { clock: systemClock, random: () => 0.5, logger: silentLogger };

  test('a server that hangs, lies or fails leaves the order of both legs; one that is well again is used', async () => {
    await using stub = await startRerankStub();
    await using reranker = teiReranker({ ...parts, url: stub.url });
    const hasty = await benchOf({ reranker, timeoutMs: 1_000 }); // time enough for the stub to take the question, or the next one would hang
    const bench = await benchOf({ reranker, timeoutMs: 30_000 });
    const query = { query: 'alpha number4', mode: 'lexical' };
    const plain = keysOf(await search(bench, { ...query, rerank: false }));
    stub.inject({ kind: 'hang' }, 1);
    stub.inject({ kind: 'nan' }, 1);
    stub.inject({ kind: 'status', status: 500 }, 1);
    for (const each of [hasty, bench, bench]) {
      const { reranked, results } = await search(each, query);
      expect({ reranked, keys: results.map(({ source }) => source.key) }).toEqual({ reranked: false, keys: plain });
    }
    expect(await outcomes(hasty)).toEqual({ timeout: 1 });
    expect((await search(bench, query)).reranked).toBe(true);
    expect(await outcomes(bench)).toEqual({ unusable: 1, failed: 1, reranked: 1 });
  });

  test('an answer is written from the passages in the order of the reranker, and says so', async () => {
    const { reranker } = preferring('number7');
    const bench = await benchOf({ reranker });
    const ask = async (rerank: boolean) => {
      const body = { question: 'what is alpha number7', mode: 'lexical', k: 1, rerank };
      const reply = await bench.app.inject({ method: 'POST', url: '/v1/answer', body });
      return JSON.parse(reply.body) as AnswerResponse;
    };
    expect((await ask(true)).reranked).toBe(true);
    expect('reranked' in (await ask(false))).toBe(false);
  });
});
