import type { Clock } from '../../runtime/clock.ts';
import { askCohere } from '../remote/ask-cohere.ts';
import { vectorOf, vectorOfBase64 } from './remote/decode-vectors.ts';
import type { EmbeddingEndpoint, SendOutcome, TextKind } from './remote/endpoint.ts';
import { openRemote, type RemoteOptions } from './remote/open-remote.ts';
import type { RemoteEmbedder } from './remote/remote-embedder.ts';

/** Which model of Cohere's, and how it is asked. */
export interface CohereEmbedderOptions extends RemoteOptions {
  readonly apiKey: string;
  /** `embed-v4.0`, `embed-multilingual-v3.0`, ... */
  readonly model: string;
  /** Of a private deployment or a proxy; absent: Cohere's own. */
  readonly url?: string;
  /** 256, 512, 1024 or 1536, for embed-v4 and later. Not sent when absent. */
  readonly dimensions?: number;
  /** Longest text in tokens; 512 by default, as of the v3 models. */
  readonly maxInputTokens?: number;
}

/** Cohere's limit of a request. */
const MAX_TEXTS = 96;
const DEFAULT_INPUT_TOKENS = 512;
/** 96 texts of full length. */
const MAX_REQUEST_TOKENS = 96 * 128_000;

/**
 * Embeds with Cohere's `v2/embed`. Passages and queries go as `search_document` and `search_query`, so prefixes are usually left empty.
 * @throws EmbedderUnavailable when it does not answer, EmbeddingInvalid when it answers with no vectors, ModelMismatch when their size is not
 * `dimensions`.
 */
export async function openCohereEmbedder(
  options: CohereEmbedderOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<RemoteEmbedder> {
  const { dimensions } = options;
  const service = {
    endpoint: new CohereEndpoint(options),
    limits: { maxTexts: MAX_TEXTS, maxTokens: MAX_REQUEST_TOKENS },
    modelName: options.model,
    revision: 'unknown',
    maxPositions: (options.maxInputTokens ?? DEFAULT_INPUT_TOKENS) + 2,
    cutsTexts: true,
    parameters: ['input_type', ...(dimensions === undefined ? [] : [`dimensions=${dimensions}`])],
    identity: undefined,
    dimensions,
  };
  return openRemote(service, options, signal);
}

class CohereEndpoint implements EmbeddingEndpoint {
  readonly name = 'Cohere';
  readonly #options: CohereEmbedderOptions;
  readonly #clock: Clock;

  constructor(options: CohereEmbedderOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  async send(texts: readonly string[], kind: TextKind, signal: AbortSignal): Promise<SendOutcome> {
    const { model, dimensions } = this.#options;
    const outcome = await askCohere(
      this.#options,
      (client, abortSignal) =>
        client.embed(
          {
            model,
            texts: [...texts],
            inputType: kind === 'query' ? 'search_query' : 'search_document',
            embeddingTypes: ['base64'],
            truncate: 'END',
            ...(dimensions === undefined ? {} : { outputDimension: dimensions }),
          },
          { abortSignal },
        ),
      this.#clock,
      signal,
    );
    if (outcome.kind !== 'reply') return outcome;
    const { base64, float } = outcome.reply.embeddings ?? {};
    const vectors = (base64 ?? float ?? []).map((each) => vectorOfBase64(each) ?? vectorOf(each));
    if (!vectors.every((vector) => vector !== undefined)) {
      return { kind: 'unusable', reason: 'an embedding is neither base64 nor numbers' };
    }
    return { kind: 'vectors', vectors, answeredAtMs: outcome.answeredAtMs };
  }
}
