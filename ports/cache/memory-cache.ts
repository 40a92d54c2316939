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
  readonly tags: readonly string[];
  /** On the clock's monotonic time; undefined for ever. */
  readonly expiresAtMs: number | undefined;
}

/** What an entry costs beside key and value: the entry, the map's slot, the order of use; bytes, estimated generously. */
const ENTRY_OVERHEAD_BYTES = 200;
/** The same for a tag of an entry: its place in the set of the tag, and a share of that set. */
const TAG_OVERHEAD_BYTES = 100;

/** The cache of one process: the least recently used entries go when the bytes run out. Values are copied in, and shared out. */
export function memoryCache({ maxBytes, clock }: MemoryCacheOptions): Cache {
  const tagged = new TaggedKeys();
  const entries = new LRUCache<string, Entry>({
    maxSize: maxBytes,
    sizeCalculation: ({ value, tags }, key) =>
      tags.reduce(
        (bytes, tag) => bytes + 2 * tag.length + TAG_OVERHEAD_BYTES,
        value.byteLength + 2 * key.length + ENTRY_OVERHEAD_BYTES,
      ),
    dispose: ({ tags }, key) => tagged.remove(key, tags),
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
      for (const { key, value, ttlMs, tags = [] } of added) {
        const expiresAtMs = ttlMs === undefined ? undefined : now + ttlMs;
        // A copy: the caller's bytes may be a window into a larger buffer, which the cache would keep alive uncounted. Not by
        // `slice`, which a Buffer answers with another window.
        entries.set(key, { value: new Uint8Array(value), tags, expiresAtMs });
        if (entries.has(key)) tagged.add(key, tags); // one that is too large is not kept
      }
    },
    async delete(keys) {
      for (const key of keys) entries.delete(key);
    },
    async deleteTagged(tags) {
      for (const tag of tags) for (const key of tagged.keysOf(tag)) entries.delete(key);
    },
    async [Symbol.asyncDispose]() {
      entries.clear();
    },
  };
}

/** Keys by tag. Holds nothing for a tag without keys. */
class TaggedKeys {
  readonly #keys = new Map<string, Set<string>>();

  add(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keys.get(tag);
      if (keys) keys.add(key);
      else this.#keys.set(tag, new Set([key]));
    }
  }

  remove(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keys.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(tag);
    }
  }

  keysOf(tag: string): readonly string[] {
    return [...(this.#keys.get(tag) ?? [])];
  }
}
