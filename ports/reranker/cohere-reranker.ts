import { askCohere, type CohereAccess } from '../remote/ask-cohere.ts';
import type { Clock } from '../../runtime/clock.ts';
import { RemoteReranker, type RemoteRerankerOptions } from './remote-reranker.ts';
import type { RerankEndpoint, RerankOutcome, RerankService } from './rerank-endpoint.ts';

/** Which model of Cohere's, and how it is asked. */
export interface CohereRerankerOptions extends CohereAccess, RemoteRerankerOptions {
  /** `rerank-v3.5`, `rerank-v4.0-pro`, ... */
  readonly model: string;
}

/** What Cohere recommends as most documents of a request; a hundred are billed as one search. */
const MAX_TEXTS = 1_000;
/** Longest query that Cohere takes. */
const MAX_QUERY_TOKENS = 2_048;
/** Where Cohere cuts a document by default. The approximate count is up to twice the real one, so this leaves the exact cut to it. */
const MAX_TEXT_TOKENS = 2 * 4_096;

/** Reranks with Cohere's `v2/rerank`. Opens nothing: a wrong key or model shows in `probe` and in the first call. */
export function cohereReranker(options: CohereRerankerOptions): RemoteReranker {
  return new RemoteReranker(new CohereRerankEndpoint(options, options.clock), options);
}

class CohereRerankEndpoint implements RerankEndpoint {
  readonly name = 'Cohere';
  readonly #options: CohereRerankerOptions;
  readonly #clock: Clock;

  constructor(options: CohereRerankerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** The API does not say what it serves. */
  async describe(): Promise<RerankService> {
    return {
      kind: 'service',
      model: this.#options.model,
      maxTexts: MAX_TEXTS,
      maxQueryTokens: MAX_QUERY_TOKENS,
      maxTextTokens: MAX_TEXT_TOKENS,
    };
  }

  async send(query: string, texts: readonly string[], signal: AbortSignal): Promise<RerankOutcome> {
    const { model } = this.#options;
    const outcome = await askCohere(
      this.#options,
      (client, abortSignal) => client.rerank({ model, query, documents: [...texts] }, { abortSignal }),
      this.#clock,
      signal,
    );
    if (outcome.kind !== 'reply') return outcome;
    // The client checks nothing of a reply's form.
    const { results } = outcome.reply as { readonly results?: unknown };
    if (!Array.isArray(results)) return { kind: 'unusable', reason: 'the reply has no list of results' };
    const scores = (results as readonly ({ readonly index?: unknown; readonly relevanceScore?: unknown } | null)[]).map(
      (each) => ({ index: each?.index, score: each?.relevanceScore }),
    );
    return { kind: 'scores', scores };
  }
}
