import { describe, expect, it } from 'vitest';
import { eventLoopTurn } from '../../runtime/clock.ts';
import {
  aRemove,
  aRemoveBelow,
  aReplace,
  aScope,
  anAdvance,
  anId,
  freshStores,
  kinds,
  visible,
} from './document-fixtures.ts';
import type { OpenStore } from './document-store.conformance.ts';

/** What every document store must do with range tombstones. */
export function removeBelowConformance(name: string, open: OpenStore): void {
  describe(`range tombstones of a document store: ${name}`, () => {
    const fresh = freshStores(open);

    it('removes every document of the table below the version, and no other', async () => {
      const store = await fresh(
        aReplace({ id: anId('old'), version: 5n }),
        aReplace({ id: anId('new'), version: 10n }),
        aReplace({ id: anId('old', 'public.articles2'), version: 5n }),
        aReplace({ id: anId('old', 'public.articles', 'crm'), version: 5n }),
        aRemoveBelow(10n),
      );
      const left = await store.list({ limit: 10 });
      expect(left.map(({ id }) => id)).toEqual([
        anId('old', 'public.articles', 'crm'),
        anId('new'),
        anId('old', 'public.articles2'),
      ]);
    });

    it('refuses what arrives later below it', async () => {
      const store = await fresh(aRemoveBelow(10n));
      const late = aReplace({ version: 9n });
      expect(await store.write([late, aRemove(anId('1'), 9n), aReplace({ version: 10n })])).toEqual([
        { kind: 'stale', version: 10n },
        { kind: 'stale', version: 10n },
        { kind: 'applied' },
      ]);
    });

    it('takes effect when it has come through every lane', async () => {
      const store = await fresh(aReplace({ version: 5n }));
      const through = (lane: string) => aRemoveBelow(10n, { lane, lanes: 2 });
      await store.write([through('lane/0'), through('lane/0')]);
      expect(await visible(store, aScope())).toEqual(['1']);
      await store.write([through('lane/1')]);
      expect(await visible(store, aScope())).toEqual([]);
    });

    it('hides no document that stands above it, not even until its newer version can be searched', async () => {
      const store = await fresh(aReplace({ version: 5n }));
      await store.write([anAdvance('0/30')]); // which can be searched now
      await store.write([aReplace({ version: 10n })]);
      const removing = { isOver: false };
      const removed = store.write([aRemoveBelow(10n)]).finally(() => (removing.isOver = true));
      const seen = new Set<unknown>();
      while (!removing.isOver) {
        const [found] = await store.read([anId('1')], { asSearched: true });
        seen.add(found?.version);
        await eventLoopTurn(); // a read that needs none would keep the write from ending
      }
      await removed;
      expect(seen).not.toContain(undefined);
      expect(await store.read([anId('1')], { asSearched: true })).toMatchObject([{ version: 10n }]);
    });

    it('is stale when the table has had it, and never goes down', async () => {
      const store = await fresh(aRemoveBelow(10n));
      expect(kinds(await store.write([aRemoveBelow(10n), aRemoveBelow(3n)]))).toEqual(['stale', 'stale']);
      expect(kinds(await store.write([aReplace({ version: 9n })]))).toEqual(['stale']);
    });

    it('goes through more documents than one transaction removes', async () => {
      const store = await fresh(...Array.from({ length: 700 }, (_, i) => aReplace({ id: anId(String(i)) })));
      await store.write([aRemoveBelow(2n), aReplace({ id: anId('0'), version: 2n })]);
      expect(await visible(store, aScope())).toEqual(['0']);
      expect(await store.progress()).toMatchObject({ passages: 1, sources: { helpdesk: { documents: 1 } } });
    });
  });
}
