/** Texts to judge by one query, and how long that may take. */
export interface RerankRequest {
  /** Any text that is not blank. */
  readonly query: string;
  /** Any texts, also empty ones. What is longer than the model reads is cut. */
  readonly texts: readonly string[];
  /** Of the whole call, however many requests it takes, ms. */
  readonly timeoutMs: number;
}

/**
 * Reads a query and a text together and says how well one answers the other: slower than comparing vectors that were made apart, and
 * better. Every adapter passes `reranker.conformance.ts`.
 */
export interface Reranker extends AsyncDisposable {
  /** For messages: `TEI`, `Cohere`. */
  readonly name: string;

  /**
   * One finite number per text, in the order of `texts`; a higher one answers better. Comparable within one call only. No texts: no
   * scores and no request. Never sends anything twice: whoever asks has another order to go on with. Safe to call concurrently.
   * @throws RerankerUnavailable, at the latest after `timeoutMs`, when not every text has a score; the signal's reason as soon as it aborts.
   */
  score(request: RerankRequest, signal: AbortSignal): Promise<readonly number[]>;

  /**
   * Whether it answers and judges, by a request of its own. Resolves with what it serves, in a sentence part.
   * @throws RerankerUnavailable with what to mend, the signal's reason.
   */
  probe(signal: AbortSignal): Promise<string>;
}
