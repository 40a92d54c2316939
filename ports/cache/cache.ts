/** A value to keep. */
export interface CacheEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Bounds the age. */
  readonly ttlMs?: number;
  /** What the value was made from: `deleteTagged` removes it by these. */
  readonly tags?: readonly string[];
}

/**
 * Values that may vanish at any time: correctness never depends on one. Bounded by bytes. Every adapter passes
 * `cache.conformance.ts`.
 */
export interface Cache extends AsyncDisposable {
  /** In the order of `keys`; undefined for a miss. Never throws: a broken cache is a miss. */
  get(keys: readonly string[], signal?: AbortSignal): Promise<readonly (Uint8Array | undefined)[]>;
  /** Best effort, never throws. An entry takes the place of one with its key; the tags of that one may still remove it. */
  set(entries: readonly CacheEntry[], signal?: AbortSignal): Promise<void>;
  /** Removes entries; resolves when no later `get` returns them. */
  delete(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /**
   * Removes every entry that has one of these tags and whose `set` had resolved; resolves when no later `get` returns one. Never throws. An
   * adapter that may lose its tags to another's eviction bounds what is left by the age of the entry.
   */
  deleteTagged(tags: readonly string[], signal?: AbortSignal): Promise<void>;
}
