import type { Clock } from '../../runtime/clock.ts';
import { vectorOf, vectorOfBase64 } from './remote/decode-vectors.ts';
import type { EmbeddingEndpoint, SendOutcome } from './remote/endpoint.ts';
import { openRemote, type RemoteOptions } from './remote/open-remote.ts';
import type { RemoteEmbedder } from './remote/remote-embedder.ts';
import { sendRequest } from '../remote/send-request.ts';

/** Where an OpenAI-compatible embeddings service is and how it is asked: OpenAI, Azure, vLLM, llama.cpp, TEI's `/v1`. */
export interface OpenAiEmbedderOptions extends RemoteOptions {
  /** Up to and with the version: `https://api.openai.com/v1`. */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Shortens vectors, for models that allow it (text-embedding-3). Not sent when absent. */
  readonly dimensions?: number;
  /** Longest text in tokens; 8,191 by default, as of OpenAI's models. */
  readonly maxInputTokens?: number;
  /** Most texts in a request; 256 by default, 2,048 is what OpenAI takes. */
  readonly maxBatchTexts?: number;
}

const DEFAULT_INPUT_TOKENS = 8_191;
/** Large enough that requests are few, small enough that one that fails repeats little. */
const DEFAULT_BATCH_TEXTS = 256;
/** OpenAI's limit of the sum over a request. */
const MAX_REQUEST_TOKENS = 300_000;

/**
 * Embeds with any service that speaks OpenAI's `POST /embeddings`. Vectors come as base64, an eighth of the bytes of JSON numbers and exact to
 * the bit; a server that answers with numbers all the same is understood.
 * @throws EmbedderUnavailable when it does not answer, EmbeddingInvalid when it answers with no vectors, ModelMismatch when their size is not
 * `dimensions`.
 */
export async function openOpenAiEmbedder(
  options: OpenAiEmbedderOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<RemoteEmbedder> {
  const { dimensions } = options;
  const service = {
    endpoint: new OpenAiEndpoint(options),
    limits: { maxTexts: options.maxBatchTexts ?? DEFAULT_BATCH_TEXTS, maxTokens: MAX_REQUEST_TOKENS },
    modelName: options.model,
    revision: 'unknown',
    maxPositions: (options.maxInputTokens ?? DEFAULT_INPUT_TOKENS) + 2,
    cutsTexts: false,
    parameters: dimensions === undefined ? [] : [`dimensions=${dimensions}`],
    identity: undefined,
    dimensions,
  };
  return openRemote(service, options, signal);
}

class OpenAiEndpoint implements EmbeddingEndpoint {
  readonly name = 'OpenAI-compatible';
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fixed: Readonly<Record<string, unknown>>;
  readonly #clock: Clock;

  constructor({ url, model, apiKey, headers = {}, dimensions, clock }: OpenAiEmbedderOptions) {
    this.#url = `${url.replace(/\/+$/, '')}/embeddings`;
    const authorization = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    this.#headers = { 'content-type': 'application/json', ...authorization, ...headers };
    this.#fixed = { model, encoding_format: 'base64', ...(dimensions === undefined ? {} : { dimensions }) };
    this.#clock = clock;
  }

  async send(texts: readonly string[], _kind: unknown, signal: AbortSignal): Promise<SendOutcome> {
    const body = JSON.stringify({ ...this.#fixed, input: texts });
    const outcome = await sendRequest(
      async (fetch) => {
        const response = await fetch(this.#url, { method: 'POST', headers: this.#headers, body });
        return (await response.json()) as unknown;
      },
      this.#clock,
      signal,
    );
    if (outcome.kind !== 'reply') return outcome;
    const read = readReply(outcome.reply, texts.length);
    return read.kind === 'vectors' ? { ...read, answeredAtMs: outcome.answeredAtMs } : read;
  }
}

/** Vectors by the `index` of each, whatever order they come in. An index that is missing, twice or too large is no reply to use. */
export function readReply(reply: unknown, count: number): SendOutcome {
  const { data, model } = (typeof reply === 'object' && reply !== null ? reply : {}) as {
    readonly data?: unknown;
    readonly model?: unknown;
  };
  if (!Array.isArray(data)) return { kind: 'unusable', reason: 'the reply has no data' };
  if (data.length !== count) return { kind: 'unusable', reason: `${data.length} vectors for ${count} texts` };
  const vectors = Array.from<Float32Array | undefined>({ length: count });
  for (const each of data as readonly { readonly index?: unknown; readonly embedding?: unknown }[]) {
    const index = each?.index;
    const vector = vectorOfBase64(each?.embedding) ?? vectorOf(each?.embedding);
    if (!vector) return { kind: 'unusable', reason: 'an embedding is neither base64 nor numbers' };
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= count || vectors[index]) {
      return { kind: 'unusable', reason: 'the indexes are not those of the texts' };
    }
    vectors[index] = vector;
  }
  const bound = vectors.filter((vector) => vector !== undefined);
  return { kind: 'vectors', vectors: bound, ...(typeof model === 'string' ? { servedBy: model } : {}) };
}
