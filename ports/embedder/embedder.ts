/** Tokens of one model, without special tokens. Pure: the same text always gives the same tokens. */
export interface Tokenizer {
  count(text: string): number;
  /** Where each token starts, UTF-16 code units, ascending. Its length equals `count(text)`. */
  starts(text: string): Uint32Array;
}

/** What decides a vector; two embedders with the same fingerprint give the same vector for the same text. */
export interface EmbedderModel {
  readonly name: string;
  readonly revision: string;
  readonly dimensions: number;
  /** Longest text in tokens that is embedded whole; the rest is cut. */
  readonly maxTokens: number;
  /** Short hash over name, revision and parameters (prefixes, pooling, precision). */
  readonly fingerprint: string;
}

/**
 * Turns texts into unit vectors. Every adapter passes `embedder.conformance.ts`.
 */
export interface Embedder extends AsyncDisposable {
  readonly model: EmbedderModel;
  readonly tokenizer: Tokenizer;

  /**
   * One vector per text, in the order of `texts`: `dimensions` finite floats, unit length. `kind` chooses the model's prefix.
   * Queries overtake passages that wait. Safe to call concurrently.
   * @throws EmbedderUnavailable when the same texts may be sent again, EmbeddingInvalid when the reply is unusable.
   */
  embed(texts: readonly string[], kind: 'passage' | 'query', signal?: AbortSignal): Promise<readonly Float32Array[]>;
}
