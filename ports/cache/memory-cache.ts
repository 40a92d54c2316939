import { LRUCache } from 'lru-cache';
import type { Clock } from '../../runtime/clock.ts';
import type { Cache } from './cache.ts';

/** How much the cache may hold, and by which clock entries age. */
export interface MemoryCacheOptions {
  /** Bytes that keys and values may take together. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

interface Entry {
  readonly value: Uint8Array;
  /** On the clock's monotonic time; undefined for ever. */
  readonly expiresAtMs: number | undefined;
}

/** What an entry costs beside key and value: the entry, the map's slot, the order of use; bytes, estimated generously. */
const ENTRY_OVERHEAD_BYTES = 200;

/** The cache of one process: the least recently used entries go when the bytes run out. Values are copied in, and shared out. */
export function memoryCache({ maxBytes, clock }: MemoryCacheOptions): Cache {
  const entries = new LRUCache<string, Entry>({
    maxSize: maxBytes,
    sizeCalculation: ({ value }, key) => value.byteLength + 2 * key.length + ENTRY_OVERHEAD_BYTES,
  });

  return {
    async get(keys) {
      const now = clock.monotonicMs();
      return keys.map((key) => {
        const entry = entries.get(key);
        if (entry?.expiresAtMs === undefined || entry.expiresAtMs > now) return entry?.value;
        entries.delete(key);
        return undefined;
      });
    },
    async set(added) {
      const now = clock.monotonicMs();
      for (const { key, value, ttlMs } of added)
        // A copy: the caller's bytes may be a window into a larger buffer, which the cache would keep alive uncounted. Not by
        // `slice`, which a Buffer answers with another window.
        entries.set(key, { value: new Uint8Array(value), expiresAtMs: ttlMs === undefined ? undefined : now + ttlMs });
    },
    async delete(keys) {
      for (const key of keys) entries.delete(key);
    },
    async [Symbol.asyncDispose]() {
      entries.clear();
    },
  };
}
