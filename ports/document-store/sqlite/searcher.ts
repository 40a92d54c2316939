import type { Fusion, Hit, StoreQuery, StoreReply } from '../document-store.ts';

/** Whoever searches the file: the connection that writes it, or a thread with one of its own. */
export interface Searcher {
  /** @throws EmbeddingInvalid for a vector of another length, StoreUnavailable, StorageFailed. */
  search(query: StoreQuery, signal?: AbortSignal): Promise<StoreReply>;
  /** As `search`. */
  best(query: StoreQuery, fusion: Fusion, signal?: AbortSignal): Promise<readonly Hit[]>;
  close(): Promise<void>;
}
