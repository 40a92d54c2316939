import type { RequestFailure } from '../remote/request-failure.ts';
import { sendRequest } from '../remote/send-request.ts';
import { RemoteReranker, type RemoteRerankerOptions } from './remote-reranker.ts';
import type { RerankEndpoint, RerankOutcome, RerankService } from './rerank-endpoint.ts';

/** Where a text-embeddings-inference server with a reranking model is. */
export interface TeiRerankerOptions extends RemoteRerankerOptions {
  /** Of the server, without a path: `http://reranker:8080`. */
  readonly url: string;
  readonly apiKey?: string;
}

/** TEI's default, for servers that do not say it. */
const DEFAULT_CLIENT_BATCH_SIZE = 32;
/** The approximate count is up to twice the real one; by this factor no text is cut that the model could have read. */
const APPROXIMATION_SLACK = 4;

/**
 * Reranks with a cross-encoder on Hugging Face text-embeddings-inference. Opens nothing: the server is asked for its model and its limits
 * when it is needed first, and again after it has failed.
 */
export function teiReranker(options: TeiRerankerOptions): RemoteReranker {
  return new RemoteReranker(new TeiRerankEndpoint(options), options);
}

/** By plain `fetch`: the client of Hugging Face knows no `/rerank`. */
class TeiRerankEndpoint implements RerankEndpoint {
  readonly name = 'TEI';
  readonly #options: TeiRerankerOptions;
  readonly #url: string;

  constructor(options: TeiRerankerOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, '');
  }

  async describe(signal: AbortSignal): Promise<RerankService | RequestFailure> {
    const outcome = await this.#request('/info', undefined, signal);
    return outcome.kind === 'reply' ? readInfo(outcome.reply) : outcome;
  }

  async send(query: string, texts: readonly string[], signal: AbortSignal): Promise<RerankOutcome> {
    // Raw scores: the sigmoid of a sure model is 1 for several texts. `truncate` cuts the longer of query and text.
    const outcome = await this.#request('/rerank', { query, texts, truncate: true, raw_scores: true }, signal);
    if (outcome.kind !== 'reply') return outcome;
    if (!Array.isArray(outcome.reply)) return { kind: 'unusable', reason: 'the reply is not a list' };
    const scores = (outcome.reply as readonly ({ readonly index?: unknown; readonly score?: unknown } | null)[]).map(
      (each) => ({ index: each?.index, score: each?.score }),
    );
    return { kind: 'scores', scores };
  }

  /** GET without a body, else POST. */
  #request(path: string, body: object | undefined, signal: AbortSignal): ReturnType<typeof sendRequest<unknown>> {
    const { apiKey, clock } = this.#options;
    const headers = {
      ...(body && { 'content-type': 'application/json' }),
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    };
    return sendRequest(
      async (fetch, abort) => {
        const init = { headers, signal: abort, ...(body && { method: 'POST', body: JSON.stringify(body) }) };
        return (await fetch(`${this.#url}${path}`, init)).json() as Promise<unknown>;
      },
      clock,
      signal,
    );
  }
}

/** `GET /info` of TEI 1.0 and later. */
function readInfo(reply: unknown): RerankService | RequestFailure {
  const info = (typeof reply === 'object' ? reply : null) as { readonly [key: string]: unknown } | null;
  const model = info?.['model_id'];
  const type = info?.['model_type'];
  const positions = info?.['max_input_length'];
  const most = info?.['max_client_batch_size'] ?? DEFAULT_CLIENT_BATCH_SIZE;
  if (typeof model !== 'string' || !isCount(positions) || !isCount(most))
    return { kind: 'forbidden', reason: 'its GET /info is not that of a text-embeddings-inference server' };
  if (typeof type !== 'object' || type === null || !('reranker' in type))
    return { kind: 'forbidden', reason: `it serves ${model}, which is not a reranking model` };
  return {
    kind: 'service',
    model,
    maxTexts: most,
    maxQueryTokens: positions,
    maxTextTokens: positions * APPROXIMATION_SLACK,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}
