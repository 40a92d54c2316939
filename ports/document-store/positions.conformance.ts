import { afterEach, describe, expect, it } from 'vitest';
import { aRemove, aReplace, anAdvance, anId } from './document-fixtures.ts';
import type { OpenStore } from './document-store.conformance.ts';
import type { DocumentStore, DocumentWrite } from './document-store.ts';

/** What every document store must do with positions and counts. */
export function positionsConformance(name: string, open: OpenStore): void {
  describe(`positions of a document store: ${name}`, () => {
    const opened: DocumentStore[] = [];
    const after = async (...writes: readonly DocumentWrite[]): Promise<DocumentStore> => {
      const store = await open();
      opened.push(store);
      for (const write of writes) await store.write([write]);
      return store;
    };
    const position = async (store: DocumentStore, source = 'helpdesk'): Promise<string | undefined> =>
      (await store.progress()).sources[source]?.searchable?.position;
    afterEach(async () => {
      for (const store of opened.splice(0)) await store[Symbol.asyncDispose]();
    });

    it('a source without a report has no position', async () => {
      expect(await position(await after(aReplace()))).toBeUndefined();
    });

    it('what a position claims is there for who reads as searches see it', async () => {
      const store = await after(aReplace({ version: 5n }), anAdvance('0/30'));
      expect(await store.read([anId('1')], { asSearched: true })).toMatchObject([{ version: 5n, deleted: false }]);
      await store.write([aRemove(anId('1'), 7n), anAdvance('0/40')]);
      expect(await store.read([anId('1'), anId('2')], { asSearched: true })).toMatchObject([
        { version: 7n, deleted: true },
        undefined,
      ]);
    });

    it('the position of a source is the least of its lanes, once all have reported', async () => {
      const store = await after(anAdvance('0/30', { lane: 'a', lanes: 2 }));
      expect(await position(store)).toBeUndefined();
      await store.write([anAdvance('0/20', { lane: 'b', lanes: 2, committedAt: 7_000 })]);
      expect((await store.progress()).sources['helpdesk']?.searchable).toEqual({
        position: '0/20',
        committedAt: 7_000,
        epoch: 1,
      });
    });

    it.each([
      ['F/FFFFFFFF', '10/0'],
      ['0/9', '0/10'],
      ['9', '10'],
      ['00000.23', undefined],
    ])('positions are ordered as numbers: %s is before %s', async (lower, higher) => {
      if (higher === undefined) {
        const store = await after();
        expect(await store.write([anAdvance(lower)])).toMatchObject([{ kind: 'refused' }]);
        return;
      }
      const store = await after(anAdvance(lower), anAdvance(higher), anAdvance(lower));
      expect(await position(store)).toBe(higher);
    });

    it('a lane does not go back', async () => {
      const store = await after(anAdvance('0/30'));
      expect(await store.write([anAdvance('0/20'), anAdvance('0/30')])).toMatchObject([
        { kind: 'stale' },
        { kind: 'stale' },
      ]);
      expect(await position(store)).toBe('0/30');
    });

    it('a later epoch is later whatever its position', async () => {
      const store = await after(
        anAdvance('F/0', { epoch: 1 }),
        anAdvance('0/1', { epoch: 2 }),
        anAdvance('F/1', { epoch: 1 }),
      );
      expect((await store.progress()).sources['helpdesk']?.searchable).toMatchObject({ position: '0/1', epoch: 2 });
    });

    it('searchable and complete are kept apart, and so are sources', async () => {
      const store = await after(
        anAdvance('0/30'),
        anAdvance('0/10', { level: 'complete' }),
        anAdvance('0/5', { source: 'crm' }),
      );
      expect((await store.progress()).sources).toMatchObject({
        helpdesk: { searchable: { position: '0/30' }, complete: { position: '0/10' } },
        crm: { searchable: { position: '0/5' }, complete: undefined },
      });
    });

    it('a new lane holds the source where it is until the lane has reported', async () => {
      const store = await after(anAdvance('0/10', { lane: 'a', lanes: 1 }), anAdvance('0/20', { lane: 'a', lanes: 2 }));
      expect(await position(store)).toBe('0/10');
      await store.write([anAdvance('0/20', { lane: 'b', lanes: 2 })]);
      expect(await position(store)).toBe('0/20');
    });

    it('a lane that is gone does not hold the source back', async () => {
      const store = await after(
        anAdvance('0/10', { lane: 'a', lanes: 2 }),
        anAdvance('0/10', { lane: 'b', lanes: 2 }),
        anAdvance('0/20', { lane: 'a', lanes: 1 }),
      );
      expect(await position(store)).toBe('0/20');
    });

    it('a lane that another has replaced does not hold the source back, and nothing is claimed too early', async () => {
      const store = await after(
        anAdvance('0/10', { lane: 'a', lanes: 2 }),
        anAdvance('0/50', { lane: 'b', lanes: 2 }),
        anAdvance('0/60', { lane: 'c', lanes: 2 }),
      );
      expect(await position(store)).toBe('0/10');
      await store.write([anAdvance('0/60', { lane: 'a', lanes: 2 })]);
      expect(await position(store)).toBe('0/60');
    });

    it('the position of a source never goes down when its lanes change', async () => {
      const store = await after(
        anAdvance('0/50', { lane: 'a', lanes: 1 }),
        anAdvance('0/60', { lane: 'a', lanes: 2 }),
        anAdvance('0/20', { lane: 'b', lanes: 2 }),
      );
      expect(await position(store)).toBe('0/50');
    });

    it('documents, passages and vectors are counted, by source', async () => {
      const store = await after(
        aReplace({ id: anId('1'), passages: ['a', 'b'] }),
        aReplace({ id: anId('1'), version: 2n, passages: ['a', 'b', 'c'], vectors: [undefined, undefined, undefined] }),
        aReplace({ id: anId('2') }),
        aReplace({ id: anId('3') }),
        aRemove(anId('3')),
        aReplace({ id: anId('1', 't', 'crm') }),
      );
      const { passages, passagesWithVector, sources } = await store.progress();
      expect({ passages, passagesWithVector }).toEqual({ passages: 5, passagesWithVector: 2 });
      expect(sources).toMatchObject({ helpdesk: { documents: 2, passages: 4 }, crm: { documents: 1, passages: 1 } });
    });
  });
}
