import { afterAll, describe, expect, it } from 'vitest';
import { StorageFailed, StoreUnavailable } from '../../runtime/errors.ts';
import { aReplace, aScope, anAdvance, anId, aVector } from './document-fixtures.ts';
import type { WriteOutcome } from './document-store.ts';
import { foundKeys as found, ImpatientClock, losing, onRequest, TestGenerations } from './elasticsearch-fixtures.ts';
import type { Send } from './elasticsearch/connection.ts';

const generations = new TestGenerations(process.env['ELASTICSEARCH_TEST_URL']);
afterAll(() => generations.clear());

describe('a position', () => {
  it('makes what was written before it searchable for everybody', async () => {
    const { generation } = generations.options();
    await using store = await generations.open({ generation, refreshIntervalMs: 60_000 });
    await using reader = await generations.open({ generation });
    await store.write([aReplace()]);
    expect(await found(reader)).toEqual([]);
    await store.write([anAdvance('0/7')]);
    expect((await reader.progress()).sources['helpdesk']?.searchable?.position).toBe('0/7');
    expect(await found(reader)).toEqual(['1']);
  });

  it('is not stored when the index could not be refreshed on every copy', async () => {
    const intercept = onRequest(/_refresh/, async () => ({ _shards: { total: 2, successful: 1, failed: 1 } }));
    await using store = await generations.open({ intercept, clock: new ImpatientClock() });
    await expect(store.write([anAdvance('0/7')])).rejects.toBeInstanceOf(StoreUnavailable);
    expect((await store.progress()).sources['helpdesk']?.searchable).toBeUndefined();
  });

  it('of many lanes at once, from two stores and with lost replies, is the least of them', async () => {
    const { generation } = generations.options();
    await using one = await generations.open({ generation, intercept: losing(0), clock: new ImpatientClock() });
    await using other = await generations.open({ generation, intercept: losing(2), clock: new ImpatientClock() });
    const lanes = Array.from({ length: 8 }, (_, i) => `lane/${i}`);
    const report = (lane: string, i: number): Promise<readonly WriteOutcome[]> =>
      (i % 2 === 0 ? one : other).write([anAdvance(`0/${10 + i}`, { lane, lanes: 8 })]);
    const outcomes = await Promise.all(lanes.map(report));
    expect(outcomes.flat().every(({ kind }) => kind === 'applied' || kind === 'stale')).toBe(true);
    expect((await one.progress()).sources['helpdesk']?.searchable?.position).toBe('0/10');
  });
});

describe('a search', () => {
  it('whose legs found two versions of a document is run again on one state', async () => {
    const paths: string[] = [];
    const intercept =
      (send: Send): Send =>
      async (request, signal) => {
        if (/_msearch|_pit/.test(request.path))
          paths.push(`${request.method} ${request.path.replace(/^\/t[^/]*/, '')}`);
        const reply = await send(request, signal);
        if (paths.length !== 1 || !request.path.endsWith('_msearch')) return reply;
        return JSON.parse(JSON.stringify(reply).replace('"version":"1"', '"version":"2"')) as unknown;
      };
    await using store = await generations.open({ intercept });
    await store.write([aReplace()]);
    await store.searchable();
    const dense = { vector: aVector(0), depth: 5 };
    const reply = await store.search({ scope: aScope(), lexical: { text: 'passage', depth: 5 }, dense });
    expect([reply.lexical[0]?.version, reply.dense[0]?.version]).toEqual([1n, 1n]);
    expect(paths).toEqual(['POST /_msearch', 'POST /_pit', 'POST /_msearch', 'DELETE /_pit']);
  });

  it('that Elasticsearch did not finish is an error, not half an answer', async () => {
    const intercept = onRequest(/_msearch/, async (sendIt) => {
      const { responses } = (await sendIt()) as { responses: object[] };
      return { responses: responses.map((each) => ({ ...each, timed_out: true })) };
    });
    await using store = await generations.open({ intercept, clock: new ImpatientClock() });
    await expect(found(store)).rejects.toBeInstanceOf(StoreUnavailable);
  });

  it('ends when its signal aborts', async () => {
    const cancel = new AbortController();
    const reason = new Error('the caller is gone');
    const intercept = onRequest(/_msearch/, (sendIt) => {
      cancel.abort(reason);
      return sendIt();
    });
    await using store = await generations.open({ intercept });
    const search = store.search({ scope: aScope(), lexical: { text: 'passage', depth: 1 } }, cancel.signal);
    await expect(search).rejects.toBe(reason);
  });
});

describe('a full disk', () => {
  it('is for an operator, and what is stored is served', async () => {
    const { generation } = generations.options();
    await using store = await generations.open({ generation });
    await store.write([aReplace()]);
    await store.searchable();
    const block = (value: boolean | null) =>
      generations.raw('PUT', `/${generation}/_settings`, { 'index.blocks.read_only_allow_delete': value });
    await block(true);
    await expect(store.write([aReplace({ id: anId('2') })])).rejects.toThrow(/free space/);
    await expect(store.write([aReplace({ id: anId('2') })])).rejects.toBeInstanceOf(StorageFailed);
    expect(await found(store)).toEqual(['1']);
    await block(null);
    expect(await store.write([aReplace({ id: anId('2') })])).toEqual([{ kind: 'applied' }]);
  });
});
