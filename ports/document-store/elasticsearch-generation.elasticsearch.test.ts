import { afterAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { InvalidConfig, ModelMismatch, StorageFailed, StoreUnavailable } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { aRemove, aRemoveBelow, aReplace, aScope, anAdvance, anId, visible } from './document-fixtures.ts';
import { currentElasticsearchGeneration } from './elasticsearch-document-store.ts';
import { ImpatientClock, TestGenerations } from './elasticsearch-fixtures.ts';

const generations = new TestGenerations(process.env['ELASTICSEARCH_TEST_URL']);
afterAll(() => generations.clear());

describe('a generation', () => {
  it('is created once, however many open it at the same time', async () => {
    const { generation } = generations.options();
    const stores = await Promise.all(Array.from({ length: 4 }, () => generations.open({ generation })));
    expect(await stores[0]!.write([aReplace()])).toEqual([{ kind: 'applied' }]);
    expect((await stores[3]!.read([anId('1')]))[0]?.version).toBe(1n);
    await stores[1]!.setup();
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  it('hides in searches what it has hidden from a reader, who knows of a range tombstone before it is searchable', async () => {
    const { generation } = generations.options();
    const refreshIntervalMs = 60_000; // Elasticsearch does nothing by itself meanwhile
    await using writer = await generations.open({ generation, refreshIntervalMs });
    await using reader = await generations.open({ generation, refreshIntervalMs });
    await writer.write([aReplace(), anAdvance('0/30')]);
    expect(await visible(reader, aScope())).toEqual(['1']);
    await writer.write([aRemoveBelow(10n)]);
    expect(await reader.read([anId('1')], { asSearched: true })).toEqual([undefined]);
    expect(await visible(reader, aScope())).toEqual([]);
  });

  it('of another model is refused', async () => {
    const { generation } = generations.options();
    await using _store = await generations.open({ generation });
    await expect(generations.open({ generation, dimensions: 8 })).rejects.toBeInstanceOf(ModelMismatch);
    await expect(generations.open({ generation, dimensions: 8 })).rejects.toThrow(/4 dimensions, the model makes 8/);
  });

  it('with an analyzer that the cluster lacks is refused, with what to do', async () => {
    await expect(generations.open({ analyzer: 'klingon' })).rejects.toBeInstanceOf(InvalidConfig);
    await expect(generations.open({ analyzer: 'klingon' })).rejects.toThrow(
      /no analyzer "klingon": install its plugin/,
    );
  });

  it('has a name that belongs to the alias', async () => {
    for (const generation of ['other-1', `${generations.alias}-UPPER`, `${generations.alias}-a/b`])
      await expect(generations.open({ generation })).rejects.toBeInstanceOf(InvalidConfig);
  });

  it('takes the alias where nobody has it, and by promotion where somebody has', async () => {
    const own = new TestGenerations(process.env['ELASTICSEARCH_TEST_URL']);
    const [first, second] = [own.options(), own.options()];
    const named = () =>
      currentElasticsearchGeneration({ ...first, clock: systemClock, random: systemRandom, logger: silentLogger });
    expect(await named()).toBeUndefined();
    await using one = await own.open(first);
    await using other = await own.open(second);
    expect(await named()).toBe(first.generation);
    await other.promote();
    expect(await named()).toBe(second.generation);
    await one.promote();
    expect(await named()).toBe(first.generation);
    await own.clear();
  });

  it('that was removed is not made anew by a write', async () => {
    await using store = await generations.open();
    await store.retire();
    await expect(store.write([aReplace()])).rejects.toBeInstanceOf(StorageFailed);
    await expect(store.read([anId('1')])).rejects.toBeInstanceOf(StorageFailed);
  });

  it('tells how it is', async () => {
    await using store = await generations.open();
    expect(await store.health()).toMatchObject({ status: 'green', unassignedShards: 0 });
  });
});

describe('a document', () => {
  it('with an id that Elasticsearch does not take as one is stored under another', async () => {
    await using store = await generations.open();
    const ids = ['a', 'b'].map((end) => `helpdesk/public.articles/${'k'.repeat(600)}${end}` as DocumentId);
    await store.write(ids.map((id) => aReplace({ id })));
    expect((await store.read(ids)).map((one) => one?.id)).toEqual(ids);
    expect((await store.list({ limit: 10 })).map(({ id }) => id)).toEqual(ids);
  });

  it('with the highest version is told from the one below', async () => {
    await using store = await generations.open();
    const highest = 2n ** 63n - 1n;
    await store.write([aReplace({ version: highest - 1n })]);
    expect(await store.write([aRemove(anId('1'), highest)])).toEqual([{ kind: 'applied' }]);
    expect(await store.write([aReplace({ version: highest })])).toEqual([{ kind: 'stale', version: highest }]);
    expect((await store.list({ limit: 1, includeDeleted: true }))[0]?.version).toBe(highest);
  });
});

describe('Elasticsearch', () => {
  it('that nobody can reach may be asked again later', async () => {
    const clock = new ImpatientClock();
    const opening = generations.open({ nodes: ['http://127.0.0.1:9'], clock });
    await expect(opening).rejects.toBeInstanceOf(StoreUnavailable);
  });

  it('needs at least one node', async () => {
    await expect(generations.open({ nodes: [] })).rejects.toBeInstanceOf(InvalidConfig);
  });
});
