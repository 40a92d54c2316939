import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cacheConformance } from './cache.conformance.ts';
import { memoryCache } from './memory-cache.ts';

cacheConformance('memory', async () => {
  const clock = new FakeClock();
  const maxBytes = 65_536;
  return { cache: memoryCache({ maxBytes, clock }), maxBytes, pass: (ms) => clock.advance(ms) };
});

describe('memoryCache', () => {
  it('drops what was used least recently when the bytes run out', async () => {
    await using cache = memoryCache({ maxBytes: 10_000, clock: new FakeClock() });
    for (const key of ['a', 'b', 'c', 'd']) {
      await cache.set([{ key, value: new Uint8Array(3_000) }]);
      await cache.get(['a']);
    }
    const found = await cache.get(['a', 'b', 'c', 'd']);
    expect(found.map((value) => value !== undefined)).toEqual([true, false, true, true]);
  });

  it('does not keep the buffer alive that a value is a window into', async () => {
    await using cache = memoryCache({ maxBytes: 10_000, clock: new FakeClock() });
    await cache.set([{ key: 'a', value: new Uint8Array(1_000_000).subarray(0, 10) }]);
    expect((await cache.get(['a']))[0]?.buffer.byteLength).toBe(10);
  });

  it('counts tags, and forgets those of entries that are gone', async () => {
    await using cache = memoryCache({ maxBytes: 10_000, clock: new FakeClock() });
    const tags = ['a document'];
    for (let n = 0; n < 100; n++) await cache.set([{ key: `key ${n}`, value: new Uint8Array(3_000), tags }]);
    await cache.set([{ key: 'key 99', value: new Uint8Array(3_000) }]); // no longer made from it
    await cache.deleteTagged(tags);
    const found = await cache.get(['key 97', 'key 98', 'key 99']);
    expect(found.map((value) => value !== undefined)).toEqual([false, false, true]);
    await cache.set([{ key: 'many', value: new Uint8Array(1), tags: Array.from({ length: 100 }, (_, n) => `${n}`) }]);
    expect(await cache.get(['many'])).toEqual([undefined]);
  });
});
