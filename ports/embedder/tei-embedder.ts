import { deadline } from '../../runtime/deadline.ts';
import { InferenceClient } from '@huggingface/inference';
import type { Clock } from '../../runtime/clock.ts';
import { EmbedderUnavailable, ModelMismatch } from '../../runtime/errors.ts';
import { vectorOf } from './remote/decode-vectors.ts';
import type { EmbeddingEndpoint, SendOutcome } from './remote/endpoint.ts';
import { openRemote, patiently, unanswered, type RemoteOptions } from './remote/open-remote.ts';
import type { RemoteEmbedder } from './remote/remote-embedder.ts';
import { sendRequest } from '../remote/send-request.ts';

/** Where a text-embeddings-inference server is and how it is asked. */
export interface TeiEmbedderOptions extends RemoteOptions {
  /** Of the server, without a path: `http://embedder:8080`. */
  readonly url: string;
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the server scales vectors to unit length (true by default); where it does not, it is done here. */
  readonly normalize?: boolean;
}

/** What is read of `GET /info` (TEI 1.2 and later). */
interface TeiInfo {
  readonly model_id: string;
  readonly model_sha: string | null;
  readonly model_dtype: string;
  readonly pooling: string;
  readonly max_input_length: number;
  readonly max_batch_tokens: number;
  readonly max_client_batch_size: number;
}

/**
 * Embeds with Hugging Face text-embeddings-inference, on GPUs. The server tells its limits and its model, so that neither is configured twice.
 * @throws EmbedderUnavailable when it does not answer, ModelMismatch when it serves no embedding model or the tokenizer cannot be read.
 */
export async function openTeiEmbedder(
  options: TeiEmbedderOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<RemoteEmbedder> {
  const endpoint = new TeiEndpoint(options);
  const info = await patiently('ask the embedder for its model', options, signal, async () => {
    const limited = deadline(options.clock, options.timeoutMs, signal);
    try {
      return await endpoint.info(limited.signal);
    } catch (error) {
      if (limited.expired()) throw unanswered(endpoint.name, `no reply in ${options.timeoutMs} ms`);
      throw error;
    } finally {
      limited.end();
    }
  });
  const service = {
    endpoint,
    limits: { maxTexts: info.max_client_batch_size, maxTokens: info.max_batch_tokens },
    modelName: info.model_id,
    // A model that was loaded from a folder has no commit.
    revision: info.model_sha ?? 'unknown',
    maxPositions: info.max_input_length,
    cutsTexts: true,
    parameters: [`dtype=${info.model_dtype}`, `pooling=${info.pooling}`],
    identity: identityOf(info),
    dimensions: undefined,
  };
  return openRemote(service, options, signal);
}

function identityOf({ model_id: id, model_sha: sha, model_dtype: dtype, pooling }: TeiInfo): string {
  return `${id}@${sha ?? 'unknown'} (${dtype}, ${pooling})`;
}

class TeiEndpoint implements EmbeddingEndpoint {
  readonly name = 'TEI';
  readonly #client: InferenceClient;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #normalize: boolean;
  readonly #clock: Clock;

  constructor({ url, apiKey, headers = {}, normalize = true, clock }: TeiEmbedderOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.#client = new InferenceClient(apiKey);
    this.#headers = apiKey === undefined ? headers : { authorization: `Bearer ${apiKey}`, ...headers };
    this.#normalize = normalize;
    this.#clock = clock;
  }

  async send(texts: readonly string[], _kind: unknown, signal: AbortSignal): Promise<SendOutcome> {
    const outcome = await sendRequest(
      (fetch, abort) =>
        this.#client.featureExtraction(
          {
            endpointUrl: `${this.#url}/embed`,
            // Always a list: TEI queues a list beyond max_concurrent_requests, and refuses a single text (its issue 662).
            inputs: [...texts],
            normalize: this.#normalize,
            truncate: true,
          },
          {
            // The client repeats a 503 at once and without end unless it is told not to.
            retry_on_error: false,
            signal: abort,
            fetch: async (input, init) =>
              withNaN(await fetch(input, { ...init, headers: this.#allHeaders(init?.headers) })),
          },
        ),
      this.#clock,
      signal,
    );
    if (outcome.kind !== 'reply') return outcome;
    if (!Array.isArray(outcome.reply)) return { kind: 'unusable', reason: 'the reply is not a list' };
    const vectors: Float32Array[] = [];
    for (const each of outcome.reply) {
      const vector = vectorOf(each);
      if (!vector) return { kind: 'unusable', reason: 'the reply is not a list of vectors' };
      vectors.push(vector);
    }
    return { kind: 'vectors', vectors, answeredAtMs: outcome.answeredAtMs };
  }

  async identify(signal: AbortSignal): Promise<string | undefined> {
    try {
      return identityOf(await this.info(signal));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ModelMismatch) return error.message;
      return undefined;
    }
  }

  /** @throws EmbedderUnavailable, ModelMismatch when the answer is not that of an embedding server, the signal's reason. */
  async info(signal: AbortSignal): Promise<TeiInfo> {
    const outcome = await sendRequest(
      async (fetch, abort) => {
        const response = await fetch(`${this.#url}/info`, { headers: this.#headers, signal: abort });
        return (await response.json()) as unknown;
      },
      this.#clock,
      signal,
    );
    if (outcome.kind === 'reply') return readInfo(outcome.reply);
    if (outcome.kind === 'forbidden' || outcome.kind === 'refused') {
      throw new EmbedderUnavailable(
        `The TEI embedder refuses GET /info with ${outcome.reason}: check address and key.`,
      );
    }
    throw unanswered(this.name, outcome.reason);
  }

  #allHeaders(headers: ConstructorParameters<typeof Headers>[0]): Headers {
    const all = new Headers(headers);
    for (const [name, value] of Object.entries(this.#headers)) all.set(name, value);
    return all;
  }
}

/**
 * TEI writes a component that is not finite as `null`, and the client takes a reply with one for no reply at all. As NaN it passes, and only the
 * text whose vector it is in is refused.
 */
function withNaN(response: Response): Response {
  const json = async (): Promise<unknown> => {
    const text = await response.text();
    return JSON.parse(text, text.includes('null') ? (_key, value: unknown) => value ?? Number.NaN : undefined);
  };
  return Object.defineProperty(response, 'json', { value: json });
}

/** @throws ModelMismatch */
function readInfo(reply: unknown): TeiInfo {
  const info = (typeof reply === 'object' ? reply : null) as { readonly [key: string]: unknown } | null;
  const type = info?.['model_type'] as { readonly embedding?: { readonly pooling?: unknown } } | undefined;
  // TEI before 1.0 named it in capitals; a reranker or a classifier has no pooling at all.
  const pooling = type?.embedding?.pooling;
  const name = info?.['model_id'];
  const sha = info?.['model_sha'];
  const positive = (key: string, otherwise?: number): number => {
    const value = info?.[key] ?? otherwise;
    if (typeof value === 'number' && value > 0) return value;
    throw new ModelMismatch(`The TEI embedder's GET /info lacks ${key}: is it a text-embeddings-inference server?`);
  };
  if (typeof name !== 'string') {
    throw new ModelMismatch("The TEI embedder's GET /info lacks model_id: is it a text-embeddings-inference server?");
  }
  if (typeof pooling !== 'string') {
    throw new ModelMismatch(`The TEI embedder serves ${name}, which is not a text embedding model.`);
  }
  return {
    model_id: name,
    model_sha: typeof sha === 'string' ? sha : null,
    model_dtype: typeof info?.['model_dtype'] === 'string' ? info['model_dtype'] : 'unknown',
    pooling,
    max_input_length: positive('max_input_length'),
    max_batch_tokens: positive('max_batch_tokens'),
    max_client_batch_size: positive('max_client_batch_size', DEFAULT_CLIENT_BATCH_SIZE),
  };
}

/** TEI's default. */
const DEFAULT_CLIENT_BATCH_SIZE = 32;
