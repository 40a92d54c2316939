import { afterEach, describe, expect, it } from 'vitest';
import type { Cache } from './cache.ts';

/** A fresh cache of at least 64 kB, and a way to let time pass for it. */
export interface OpenedCache {
  readonly cache: Cache;
  readonly maxBytes: number;
  readonly pass: (ms: number) => Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What every cache must do. */
export function cacheConformance(name: string, open: () => Promise<OpenedCache>): void {
  describe(`cache: ${name}`, () => {
    const opened: Cache[] = [];
    const fresh = async (): Promise<OpenedCache> => {
      const result = await open();
      opened.push(result.cache);
      return result;
    };
    afterEach(async () => {
      for (const cache of opened.splice(0)) await cache[Symbol.asyncDispose]();
    });

    it('returns values in the order of the keys, and undefined for a miss', async () => {
      const { cache } = await fresh();
      await cache.set([
        { key: 'a', value: bytes('1') },
        { key: 'b', value: bytes('2') },
      ]);
      expect(await cache.get(['b', 'missing', 'a', 'b'])).toEqual([bytes('2'), undefined, bytes('1'), bytes('2')]);
    });

    it('replaces a value', async () => {
      const { cache } = await fresh();
      await cache.set([{ key: 'a', value: bytes('1') }]);
      await cache.set([{ key: 'a', value: bytes('2') }]);
      expect(await cache.get(['a'])).toEqual([bytes('2')]);
    });

    it('tells an empty value from a miss', async () => {
      const { cache } = await fresh();
      await cache.set([{ key: 'a', value: new Uint8Array() }]);
      expect(await cache.get(['a', 'b'])).toEqual([new Uint8Array(), undefined]);
    });

    it('keeps keys apart that differ in one character, whatever it is', async () => {
      const { cache } = await fresh();
      const keys = ['a', 'a ', 'A', 'a\0', 'a\n', 'ä', '__proto__', ''];
      await cache.set(keys.map((key, i) => ({ key, value: bytes(String(i)) })));
      expect(await cache.get(keys)).toEqual(keys.map((_, i) => bytes(String(i))));
    });

    it('returns plain bytes in memory of their own, so that a vector can be read from them where it lies', async () => {
      const { cache } = await fresh();
      const vector = Float32Array.from({ length: 384 }, (_, i) => Math.fround(Math.sin(i)) * (i % 2 ? 1 : -1e-30));
      // A window at an odd offset of a larger buffer, as clients of a network hand them out.
      const pool = Buffer.alloc(4_096);
      const unaligned = pool.subarray(13, 13 + vector.byteLength);
      unaligned.set(new Uint8Array(vector.buffer));
      await cache.set([
        { key: 'small', value: bytes('x') },
        { key: 'vector', value: unaligned },
      ]);
      const [, found] = await cache.get(['small', 'vector']);
      expect(new Float32Array(found!.slice().buffer)).toEqual(vector);
    });

    it('takes more entries at once than fit into one round trip', async () => {
      const { cache } = await fresh();
      const keys = Array.from({ length: 1_200 }, (_, i) => `key ${i}`);
      const small = keys.slice(0, 100); // the smallest cache there is holds no more for certain
      await cache.set(small.map((key) => ({ key, value: bytes(key) })));
      expect(await cache.get(keys)).toEqual(keys.map((key, i) => (i < small.length ? bytes(key) : undefined)));
      await cache.delete(keys);
      expect(await cache.get(small)).toEqual(small.map(() => undefined));
    });

    it('answers an aborted caller with misses, without throwing', async () => {
      const { cache } = await fresh();
      await cache.set([{ key: 'a', value: bytes('1') }]);
      const aborted = AbortSignal.abort();
      await cache.set([{ key: 'b', value: bytes('2') }], aborted);
      expect(await cache.get(['a', 'b'], aborted)).toHaveLength(2);
    });

    it('does not return an entry whose time to live is over when it is stored', async () => {
      const { cache } = await fresh();
      await cache.set([{ key: 'a', value: bytes('1') }]);
      await cache.set([{ key: 'a', value: bytes('2'), ttlMs: 0 }]);
      expect(await cache.get(['a'])).toEqual([undefined]);
    });

    it('does not return an entry that was deleted', async () => {
      const { cache } = await fresh();
      await cache.set([{ key: 'a', value: bytes('1') }]);
      await cache.delete(['a', 'missing']);
      expect(await cache.get(['a'])).toEqual([undefined]);
    });

    it('does not return an entry that is older than its time to live', async () => {
      const { cache, pass } = await fresh();
      await cache.set([
        { key: 'short', value: bytes('1'), ttlMs: 1_000 },
        { key: 'long', value: bytes('2'), ttlMs: 60_000 },
        { key: 'for ever', value: bytes('3') },
      ]);
      await pass(1_001);
      expect(await cache.get(['short', 'long', 'for ever'])).toEqual([undefined, bytes('2'), bytes('3')]);
    });

    it('keeps what was stored when the caller changes its bytes', async () => {
      const { cache } = await fresh();
      const value = bytes('before');
      await cache.set([{ key: 'a', value }]);
      value.fill(0);
      expect(await cache.get(['a'])).toEqual([bytes('before')]);
    });

    it('removes by tag what was made from it, and nothing else', async () => {
      const { cache } = await fresh();
      await cache.set([
        { key: 'both', value: bytes('1'), tags: ['x', 'y'] },
        { key: 'one', value: bytes('2'), tags: ['y'] },
        { key: 'other', value: bytes('3'), tags: ['X', 'x '] },
        { key: 'x', value: bytes('4') },
      ]);
      await cache.deleteTagged(['x', 'unknown']);
      expect(await cache.get(['both', 'one', 'other', 'x'])).toEqual([undefined, bytes('2'), bytes('3'), bytes('4')]);
      await cache.deleteTagged(['y']);
      expect(await cache.get(['one', 'other'])).toEqual([undefined, bytes('3')]);
    });

    it('removes by the tags of the latest value; one that was removed by tag may come back', async () => {
      const { cache } = await fresh();
      await cache.set([{ key: 'a', value: bytes('1'), tags: ['new'] }]);
      await cache.deleteTagged(['new']);
      await cache.set([{ key: 'a', value: bytes('2'), tags: ['new', 'newer'] }]);
      expect(await cache.get(['a'])).toEqual([bytes('2')]);
      await cache.deleteTagged(['newer']);
      expect(await cache.get(['a'])).toEqual([undefined]);
    });

    it('removes by tag more entries than fit into one round trip', async () => {
      const { cache } = await fresh();
      const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`); // the smallest cache there is holds no more for certain
      await cache.set(keys.map((key) => ({ key, value: bytes(key), tags: ['all', key] })));
      await cache.deleteTagged(['key 7', ...Array.from({ length: 1_100 }, (_, i) => `nothing ${i}`)]);
      const found = await cache.get(keys);
      expect(found.map((value) => value === undefined)).toEqual(keys.map((key) => key === 'key 7'));
      await cache.deleteTagged(['all']);
      expect(await cache.get(keys)).toEqual(keys.map(() => undefined));
    });

    it('takes an entry that is larger than the cache as a miss', async () => {
      const { cache, maxBytes } = await fresh();
      await cache.set([
        { key: 'huge', value: new Uint8Array(maxBytes + 1) },
        { key: 'a', value: bytes('1') },
      ]);
      expect((await cache.get(['huge']))[0]).toBeUndefined();
    });
  });
}
