import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DocumentId } from '../../schemas/ids.ts';
import { aRemove, aRemoveBelow, aReplace, aScope, aTouch, anId, visible } from './document-fixtures.ts';
import type { OpenStore } from './document-store.conformance.ts';
import type { DocumentStore, DocumentWrite, WriteOutcome } from './document-store.ts';

type Kept = { readonly version: bigint; readonly contentHash: string | undefined };

/** The store as a few lines: the highest version of every document, and the floor. */
class Model {
  readonly documents = new Map<DocumentId, Kept>();
  floor = 0n;

  apply(write: DocumentWrite): WriteOutcome['kind'] {
    switch (write.kind) {
      case 'replace':
        return this.#put(write.document.id, { version: write.document.version, contentHash: write.contentHash });
      case 'remove':
        return this.#put(write.id, { version: write.version, contentHash: undefined });
      case 'touch': {
        const stored = this.documents.get(write.id);
        if (stored?.contentHash !== write.contentHash) return 'stale';
        return this.#put(write.id, { version: write.version, contentHash: write.contentHash });
      }
      case 'remove-below': {
        if (write.version <= this.floor) return 'stale';
        this.floor = write.version;
        for (const [id, { version }] of this.documents) if (version < this.floor) this.documents.delete(id);
        return 'applied';
      }
      case 'advance':
      case 'attach-vectors':
        throw new Error(`the model has no ${write.kind}`);
    }
  }

  #put(id: DocumentId, kept: Kept): WriteOutcome['kind'] {
    if (kept.version < this.floor || kept.version <= (this.documents.get(id)?.version ?? 0n)) return 'stale';
    this.documents.set(id, kept);
    return 'applied';
  }

  live(): string[] {
    return [...this.documents]
      .filter(([, { contentHash }]) => contentHash !== undefined)
      .map(([id]) => id.split('/')[2] ?? '')
      .toSorted();
  }

  rows(): unknown[] {
    return [...this.documents]
      .map(([id, { version, contentHash }]) => ({ id, version, deleted: contentHash === undefined }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }
}

async function rows(store: DocumentStore): Promise<unknown[]> {
  const listed = await store.list({ limit: 1_000, includeDeleted: true });
  return listed.map(({ id, version, deleted }) => ({ id, version, deleted }));
}

const key = fc.constantFrom('a', 'b', 'c');
const version = fc.bigInt({ min: 1n, max: 12n });
const title = fc.constantFrom('one', 'two');
const replace = fc
  .record({ key, version, title })
  .map((fields) => aReplace({ id: anId(fields.key), version: fields.version, title: fields.title }));
const remove = fc.record({ key, version }).map((fields) => aRemove(anId(fields.key), fields.version));
const touch = fc
  .record({ key, version, title })
  .map((fields) => aTouch(aReplace({ id: anId(fields.key), title: fields.title }), fields.version));
const removeBelow = version.map((below) => aRemoveBelow(below));

/** One fate for each document and version, as a source has it: whatever order and however often it comes. */
function settle(writes: readonly DocumentWrite[]): DocumentWrite[] {
  const first = new Map<string, DocumentWrite>();
  for (const write of writes) {
    const name =
      write.kind === 'replace'
        ? `${write.document.id} ${write.document.version}`
        : write.kind === 'remove'
          ? `${write.id} ${write.version}`
          : `${write.kind} ${write.kind === 'remove-below' ? write.version : ''}`;
    if (!first.has(name)) first.set(name, write);
  }
  return [...first.values()];
}

/** What every document store must make of versions: random histories against a model that keeps the highest. */
export function versionsConformance(name: string, open: OpenStore): void {
  describe(`versions in a document store: ${name}`, () => {
    it('every write does what the model does, in whatever order and however often it comes', async () => {
      const write = fc.oneof(replace, replace, remove, touch, removeBelow);
      const calls = fc.array(fc.array(write, { minLength: 1, maxLength: 6 }), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(calls, async (history) => {
          await using store = await open();
          const model = new Model();
          for (const call of history) {
            const outcomes = await store.write(call);
            expect(outcomes.map(({ kind }) => kind)).toEqual(call.map((one) => model.apply(one)));
            expect(await rows(store)).toEqual(model.rows());
          }
          expect(await visible(store, aScope())).toEqual(model.live());
          const { passages, passagesWithVector } = await store.progress();
          expect([passages, passagesWithVector]).toEqual([model.live().length, model.live().length]);
        }),
        { numRuns: 60 },
      );
    });

    it('a history ends in the same state in any order, with any repeats', async () => {
      const history = fc.array(fc.oneof(replace, remove, removeBelow), { minLength: 1, maxLength: 12 }).map(settle);
      const delivered = history.chain((writes) =>
        fc.record({
          writes: fc.constant(writes),
          again: fc
            .shuffledSubarray(writes)
            .chain((some) => fc.shuffledSubarray([...writes, ...some], { minLength: writes.length + some.length })),
        }),
      );
      await fc.assert(
        fc.asyncProperty(delivered, async ({ writes, again }) => {
          await using inOrder = await open();
          await using shuffled = await open();
          await inOrder.write(writes);
          for (const write of again) await shuffled.write([write]);
          expect(await rows(shuffled)).toEqual(await rows(inOrder));
          expect(await visible(shuffled, aScope())).toEqual(await visible(inOrder, aScope()));
        }),
        { numRuns: 60 },
      );
    });

    it('a removed document never comes back with a version that is not newer', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(replace, { minLength: 1, maxLength: 12 }), version, async (late, removed) => {
          await using store = await open();
          await store.write([aRemove(anId('a'), removed)]);
          for (const write of late) await store.write([write]);
          const newest = late
            .filter(({ document }) => document.id === anId('a'))
            .reduce((max, { document }) => (document.version > max ? document.version : max), 0n);
          expect((await visible(store, aScope())).includes('a')).toBe(newest > removed);
        }),
        { numRuns: 40 },
      );
    });
  });
}
