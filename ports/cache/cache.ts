/**
 * Values that may vanish at any time: correctness never depends on one. Bounded by bytes. Every adapter passes
 * `cache.conformance.ts`.
 */
export interface Cache extends AsyncDisposable {
  /** In the order of `keys`; undefined for a miss. Never throws: a broken cache is a miss. */
  get(keys: readonly string[], signal?: AbortSignal): Promise<readonly (Uint8Array | undefined)[]>;
  /** Best effort, never throws. `ttlMs` bounds the age. */
  set(
    entries: readonly { readonly key: string; readonly value: Uint8Array; readonly ttlMs?: number }[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Removes entries; resolves when no later `get` returns them. */
  delete(keys: readonly string[], signal?: AbortSignal): Promise<void>;
}
