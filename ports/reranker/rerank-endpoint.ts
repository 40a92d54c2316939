import type { RequestFailure } from '../remote/request-failure.ts';
import type { IndexedScore } from './check-scores.ts';

/** What a server says it serves, and what one request of it may hold. */
export interface RerankService {
  readonly kind: 'service';
  readonly model: string;
  readonly maxTexts: number;
  /** Longest query and longest text that are sent, in approximate tokens (`approximateTokenizer`): bounds for requests, the server cuts exactly. */
  readonly maxQueryTokens: number;
  readonly maxTextTokens: number;
}

/** What became of one request; the scores are unchecked. */
export type RerankOutcome = { readonly kind: 'scores'; readonly scores: readonly IndexedScore[] } | RequestFailure;

/** One reranking server. One request per call: no repeats, no time limit of its own. */
export interface RerankEndpoint {
  /** For messages: `TEI`, `Cohere`. */
  readonly name: string;
  /** @throws nothing but the signal's reason. */
  describe(signal: AbortSignal): Promise<RerankService | RequestFailure>;
  /** @throws nothing but the signal's reason. */
  send(query: string, texts: readonly string[], signal: AbortSignal): Promise<RerankOutcome>;
}
