import { errors } from '@elastic/elasticsearch';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { DocumentRefused, StoreUnavailable } from '../../runtime/errors.ts';
import { aRemove, aRemoveBelow, aReplace, anAdvance, anId, aTouch, aVector } from './document-fixtures.ts';
import type { DocumentStore, DocumentWrite, WriteOutcome } from './document-store.ts';
import type { ElasticsearchDocumentStore } from './elasticsearch-document-store.ts';
import { foundKeys as found, ImpatientClock, losing, onRequest, TestGenerations } from './elasticsearch-fixtures.ts';
import type { Send } from './elasticsearch/connection.ts';

const generations = new TestGenerations(process.env['ELASTICSEARCH_TEST_URL']);
afterAll(() => generations.clear());

const tooMany = (headers: Record<string, string> = {}): Error =>
  new errors.ResponseError({
    statusCode: 429,
    headers,
    body: { error: { type: 'es_rejected_execution_exception', reason: '' } },
    warnings: null,
    meta: {} as never,
  });

/** Reads documents over and over; the version of none may go down. */
async function neverDown(store: DocumentStore, documents: readonly string[], until: AbortSignal): Promise<void> {
  const seen = new Map<string, bigint>();
  while (!until.aborted)
    for (const one of await store.read(documents.map((key) => anId(key)))) {
      if (!one) continue;
      expect(one.version).toBeGreaterThanOrEqual(seen.get(one.id) ?? 0n);
      seen.set(one.id, one.version);
    }
}

describe('R25: replies that are lost', () => {
  it('several writers of the same documents: no version goes down, no write is applied twice, none is lost', async () => {
    const { generation } = generations.options();
    const open = (seed: number) =>
      generations.open({ generation, intercept: losing(seed), clock: new ImpatientClock() });
    await using one = await open(1);
    await using other = await open(3);
    const documents = ['a', 'b', 'c'];
    const step = fc.record({
      key: fc.constantFrom(...documents),
      remove: fc.boolean(),
      copies: fc.integer({ min: 1, max: 2 }),
    });
    let version = 0n;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24 }), async (steps) => {
        const writes = steps.map(({ key, remove }): DocumentWrite => {
          version += 1n;
          const id = anId(key);
          return remove ? aRemove(id, version) : aReplace({ id, version, title: `v${version}` });
        });
        const before = await one.read(documents.map((key) => anId(key)));
        // Both stores get everything, one in order and one the other way round, three writes a call.
        const calls = (store: DocumentStore, all: readonly DocumentWrite[]): Promise<readonly WriteOutcome[]>[] =>
          Array.from({ length: Math.ceil(all.length / 3) }, (_, i) => store.write(all.slice(i * 3, i * 3 + 3)));
        const isDone = new AbortController();
        const watching = neverDown(other, documents, isDone.signal);
        const [forward, backward] = await Promise.all([
          Promise.all(calls(one, writes)),
          Promise.all(calls(other, writes.toReversed())),
        ]);
        isDone.abort();
        await watching;
        const outcomes = [forward.flat(), backward.flat().toReversed()];
        expect(outcomes.map((each) => each.length)).toEqual([writes.length, writes.length]);
        writes.forEach((_, i) => {
          const applied = outcomes.filter((each) => each[i]?.kind === 'applied').length;
          expect(applied).toBeLessThanOrEqual(1);
        });
        const after = await other.read(documents.map((key) => anId(key)));
        documents.forEach((key, i) => {
          const newest = writes.findLast((write) =>
            'id' in write ? write.id === anId(key) : write.kind === 'replace' && write.document.id === anId(key),
          );
          if (!newest) expect(after[i]?.version).toEqual(before[i]?.version);
          else {
            expect(after[i]?.version).toBe(
              newest.kind === 'replace' ? newest.document.version : (newest as { version: bigint }).version,
            );
            expect(after[i]?.deleted).toBe(newest.kind === 'remove');
          }
        });
      }),
      { numRuns: 15 },
    );
    generations.retire(one);
  });

  it('a write whose reply was lost is known to have been applied', async () => {
    let lost = 0;
    const intercept = onRequest(/_bulk/, async (sendIt) => {
      const reply = await sendIt();
      if (lost++ === 0) throw new errors.TimeoutError('the reply is lost');
      return reply;
    });
    await using store = await generations.open({ intercept, clock: new ImpatientClock() });
    expect(await store.write([aReplace(), aReplace({ id: anId('2') })])).toEqual([
      { kind: 'applied' },
      { kind: 'applied' },
    ]);
    expect(lost).toBe(1);
    lost = 0;
    expect(await store.write([anAdvance('0/1')])).toEqual([{ kind: 'applied' }]);
  });

  it('vectors that are attached while the document is touched are not lost', async () => {
    const { generation } = generations.options();
    await using one = await generations.open({ generation });
    await using other = await generations.open({ generation });
    await using third = await generations.open({ generation });
    for (let version = 1n; version < 40n; version += 2n) {
      const first = aReplace({ version, passages: ['one', 'two'], vectors: [undefined, undefined] });
      await one.write([first]);
      const attach = (ordinal: number, key: string): DocumentWrite => ({
        kind: 'attach-vectors',
        id: anId('1'),
        version: first.document.version,
        vectors: [{ ordinal, vectorKey: `key ${key}`, vector: aVector(ordinal) }],
      });
      const [a, b, touched] = await Promise.all([
        one.write([attach(0, 'one')]),
        other.write([attach(1, 'two')]),
        third.write([aTouch(first, version + 1n)]),
      ]);
      expect(touched).toEqual([{ kind: 'applied' }]);
      const [stored] = await one.read([anId('1')]);
      expect(stored?.version).toBe(version + 1n);
      expect(stored?.passages.map(({ hasVector }) => hasVector)).toEqual(
        [a, b].map(([each]) => each?.kind === 'applied'),
      );
    }
  });
});

describe('R24: a bulk that fails in part', () => {
  it('sends only those items again that were refused for now', async () => {
    const sent: number[] = [];
    const intercept =
      (send: Send): Send =>
      async (request, signal) => {
        if (!request.path.endsWith('_bulk')) return send(request, signal);
        const lines = request.body as readonly string[];
        sent.push(lines.length / 2);
        if (sent.length > 1) return send(request, signal);
        // Of the first request every second item meets a full queue.
        const kept = lines.filter((_, i) => i % 4 < 2);
        const { items } = (await send({ ...request, body: kept }, signal)) as { items: object[] };
        const rejected = { create: { status: 429, error: { type: 'es_rejected_execution_exception' } } };
        return { items: items.flatMap((item) => [item, rejected]) };
      };
    await using store = await generations.open({ intercept, clock: new ImpatientClock() });
    const writes = Array.from({ length: 10 }, (_, i) => aReplace({ id: anId(String(i)) }));
    expect((await store.write(writes)).map(({ kind }) => kind)).toEqual(writes.map(() => 'applied'));
    expect(sent).toEqual([10, 5]);
  });

  it('refuses the document that the index cannot take, and stores its neighbours', async () => {
    await using store = await generations.open();
    const immense = aReplace({ id: anId('2'), acl: ['x'.repeat(40_000)], title: 'xylocanary' });
    const outcomes = await store.write([aReplace({ id: anId('1') }), immense, aReplace({ id: anId('3') })]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'refused', 'applied']);
    const error = outcomes[1]?.kind === 'refused' ? outcomes[1].error : undefined;
    expect(error).toBeInstanceOf(DocumentRefused);
    expect(`${error?.message} ${String(error?.cause)}`).not.toContain('xylocanary');
  });
});

describe('R23: an index that refuses for now', () => {
  it('is asked again after the time that it states', async () => {
    const clock = new ImpatientClock();
    let refusals = 2;
    const intercept = onRequest(/_bulk/, (sendIt) =>
      refusals-- > 0 ? Promise.reject(tooMany({ 'retry-after': '7' })) : sendIt(),
    );
    await using store = await generations.open({ intercept, clock });
    expect(await store.write([aReplace()])).toEqual([{ kind: 'applied' }]);
    expect(clock.slept.filter((ms) => ms >= 7_000)).toHaveLength(2);
  });

  it('is asked a bounded number of times, with growing delays', async () => {
    const clock = new ImpatientClock();
    let asked = 0;
    const intercept = onRequest(/_bulk/, () => {
      asked++;
      return Promise.reject(tooMany());
    });
    await using store = await generations.open({ intercept, clock });
    await expect(store.write([aReplace()])).rejects.toBeInstanceOf(StoreUnavailable);
    expect(asked).toBe(8);
    expect(clock.slept.at(-1)).toBeGreaterThan(clock.slept[0]! * 8);
  });
});

describe('R26: a replay after the time for which Elasticsearch keeps deletions in mind', () => {
  it('brings nothing back', async () => {
    const { generation: index } = generations.options();
    await using store = await generations.open({ generation: index });
    await generations.raw('PUT', `/${index}/_settings`, { 'index.gc_deletes': '1s' });
    const old = [1n, 2n, 3n].flatMap((version) => ['a', 'b'].map((key) => aReplace({ id: anId(key), version })));
    await store.write(old);
    await store.write([aRemove(anId('a'), 4n), aRemove(anId('b'), 4n)]);
    const control = `/${generations.alias}-control`;
    await generations.raw('PUT', control, { settings: { number_of_replicas: 0, 'index.gc_deletes': '1s' } });
    await generations.raw('PUT', `${control}/_doc/1?version=3&version_type=external`, {});
    await generations.raw('DELETE', `${control}/_doc/1?version=4&version_type=external`);
    const removedMs = systemClock.monotonicMs();
    // Time itself is the condition here: Elasticsearch forgets by its own clock.
    await vi.waitUntil(() => systemClock.monotonicMs() - removedMs > 2_500, { timeout: 30_000 });
    await generations.raw('POST', `/${index},${generations.alias}-control/_refresh`);
    const replayed = await generations.raw('PUT', `${control}/_doc/1?version=3&version_type=external`, {});
    expect(replayed).toMatchObject({ result: 'created' }); // what a store of versions alone would do
    expect(await store.write(old)).toEqual(old.map(() => ({ kind: 'stale', version: 4n })));
    await store.searchable();
    expect(await found(store)).toEqual([]);
    expect(await store.list({ limit: 10 })).toEqual([]);
  });
});

describe('a range tombstone', () => {
  /** Two stores of one generation; the first one's changes wait at a gate. */
  async function gated(): Promise<{
    zombie: ElasticsearchDocumentStore;
    other: ElasticsearchDocumentStore;
    arrived: Promise<void>;
    release: (then?: 'die') => void;
  }> {
    const { generation } = generations.options();
    let open: (then?: 'die') => void = () => undefined;
    let arrive = (): void => undefined;
    const gate = new Promise<'die' | undefined>((done) => (open = done));
    const arrived = new Promise<void>((done) => (arrive = done));
    let isDead = false;
    const intercept =
      (send: Send): Send =>
      async (request, signal) => {
        if (isDead) throw new errors.ConnectionError('killed');
        if (!request.path.endsWith('_bulk')) return send(request, signal);
        arrive();
        const then = await gate;
        const reply = await send(request, signal);
        isDead = then === 'die';
        return reply;
      };
    const zombie = await generations.open({ generation, intercept, clock: new ImpatientClock() });
    const other = await generations.open({ generation });
    return { zombie, other, arrived, release: open };
  }

  it('undoes the write of a zombie that had looked before it came', async () => {
    const { zombie, other, arrived, release } = await gated();
    await using _first = zombie;
    await using _second = other;
    const late = zombie.write([aReplace({ version: 5n }), aReplace({ id: anId('2'), version: 12n })]);
    await arrived;
    expect(await other.write([aRemoveBelow(10n)])).toEqual([{ kind: 'applied' }]);
    release();
    expect(await late).toEqual([{ kind: 'stale', version: 10n }, { kind: 'applied' }]);
    await other.searchable();
    expect(await found(other)).toEqual(['2']);
    expect((await other.read([anId('1')]))[0]).toBeUndefined();
  });

  it('hides what a zombie wrote that was killed before it could undo it', async () => {
    const { zombie, other, arrived, release } = await gated();
    await using _first = zombie;
    await using _second = other;
    const late = zombie.write([aReplace({ version: 5n })]).catch((error: unknown) => error);
    await arrived;
    await other.write([aRemoveBelow(10n)]);
    release('die');
    expect(await late).toBeInstanceOf(StoreUnavailable);
    await other.searchable();
    expect(await found(other)).toEqual([]);
    expect(await other.list({ limit: 10, includeDeleted: true })).toEqual([]);
    expect((await other.read([anId('1')]))[0]).toBeUndefined();
    expect((await other.progress()).passages).toBe(0);
    // Whoever writes the document next removes what is left of it.
    expect(await other.write([aReplace({ version: 6n })])).toEqual([{ kind: 'stale', version: 10n }]);
  });

  it('that was broken off is carried out when it is repeated', async () => {
    const { generation } = generations.options();
    await using store = await generations.open({ generation });
    await store.write([aReplace({ version: 5n })]);
    let isDead = false;
    const intercept =
      (send: Send): Send =>
      (request, signal) => {
        // Dies behind the tombstone, before the sweep.
        if (request.path.endsWith('_refresh')) isDead = true;
        return isDead ? Promise.reject(new errors.ConnectionError('killed')) : send(request, signal);
      };
    await using dying = await generations.open({ generation, intercept, clock: new ImpatientClock() });
    await expect(dying.write([aRemoveBelow(10n)])).rejects.toBeInstanceOf(StoreUnavailable);
    expect(await store.write([aRemoveBelow(10n)])).toEqual([{ kind: 'applied' }]);
    expect(await store.write([aRemoveBelow(10n)])).toEqual([{ kind: 'stale', version: 10n }]);
    await store.searchable();
    expect(await found(store)).toEqual([]);
  });
});
