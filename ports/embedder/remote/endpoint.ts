import type { RequestFailure } from '../../remote/request-failure.ts';

/** What a text is embedded as: models and services tell the two apart. */
export type TextKind = 'passage' | 'query';

/**
 * What became of one request. A reply says what happened; what to do about it is decided in one place, `RemoteEmbedder`.
 * `reason` never holds text of documents.
 */
export type SendOutcome =
  /**
   * One entry per text as the server gave them, by index; unchecked. `servedBy`: the model that the reply names. `answeredAtMs`: monotonic time
   * at which the reply began, before this process read it.
   */
  | {
      readonly kind: 'vectors';
      readonly vectors: readonly Float32Array[];
      readonly servedBy?: string;
      readonly answeredAtMs?: number;
    }
  | RequestFailure;

/** One embedding service as the scheduler sees it. One request per call: no retries, no batching, no timeout of its own. */
export interface EmbeddingEndpoint {
  /** For messages: `TEI`, `OpenAI-compatible`, `Cohere`. */
  readonly name: string;
  /** @throws nothing but the signal's reason. */
  send(texts: readonly string[], kind: TextKind, signal: AbortSignal): Promise<SendOutcome>;
  /**
   * Who answers now, as a string that changes with the model; undefined when it cannot be asked at the moment. Absent where the
   * protocol has no such question.
   * @throws nothing but the signal's reason.
   */
  identify?(signal: AbortSignal): Promise<string | undefined>;
}

/** What one request may hold. */
export interface RequestLimits {
  readonly maxTexts: number;
  /** Sum over the texts, padded to the longest, special tokens included. */
  readonly maxTokens: number;
}
