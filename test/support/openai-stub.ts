import type { ServerResponse } from 'node:http';
import { EmbeddingFaults, misbehave, spoil, type EmbeddingFault } from './embedding-faults.ts';
import { base64Of, sendJson, startEmbeddingServer, type StubRequest } from './embedding-server.ts';
import { hashVectors } from './tei-stub-vectors.ts';

export interface OpenAiStubOptions {
  readonly apiKey?: string;
  readonly model?: string;
  /** Of the model, when a request asks for no other. */
  readonly dimensions?: number;
  readonly maxBatchTexts?: number;
  /** Whether `encoding_format` is understood; some compatible servers always answer with numbers. */
  readonly base64?: boolean;
}

/** A request for vectors as it came. */
export interface SeenRequest {
  readonly texts: readonly string[];
  readonly inputType?: string;
}

/** A stand-in for a hosted embedding service. */
export interface EmbeddingStub extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  inject(fault: EmbeddingFault, times?: number): void;
  heal(): void;
  /** Answers as another model from now on. */
  become(model: string): void;
}

const MAX_BATCH_TEXTS = 2_048;

/** OpenAI's `POST /v1/embeddings`: vectors in any order, each with its index. */
export async function startOpenAiStub(options: OpenAiStubOptions = {}): Promise<EmbeddingStub> {
  const faults = new EmbeddingFaults();
  const seen: SeenRequest[] = [];
  let model = options.model ?? 'text-embedding-3-small';
  const refuse = (response: ServerResponse, status: number, message: string, type: string): void =>
    sendJson(response, status, { error: { message, type, param: null, code: null } });

  async function route({ method, path, headers, body }: StubRequest, response: ServerResponse): Promise<void> {
    if (method !== 'POST' || path !== '/v1/embeddings')
      return refuse(response, 404, 'Unknown URL', 'invalid_request_error');
    if (options.apiKey !== undefined && headers.authorization !== `Bearer ${options.apiKey}`) {
      return refuse(response, 401, 'Incorrect API key provided', 'invalid_request_error');
    }
    const request = JSON.parse(body) as {
      readonly input: string | readonly string[];
      readonly encoding_format?: 'float' | 'base64';
      readonly dimensions?: number;
    };
    const texts = typeof request.input === 'string' ? [request.input] : request.input;
    seen.push({ texts });
    if (texts.length === 0 || texts.length > (options.maxBatchTexts ?? MAX_BATCH_TEXTS) || texts.includes('')) {
      return refuse(response, 400, "'$.input' is invalid.", 'invalid_request_error');
    }
    const fault = faults.take();
    if (await misbehave(fault, texts, response)) return;
    const vectors = hashVectors(request.dimensions ?? options.dimensions ?? 256);
    const numbered = (await vectors.of(texts)).map((vector, index) => ({ vector, index }));
    // The index says which text a vector is of, so another order is as good.
    const ordered = fault?.kind === 'swapped' ? numbered.toReversed() : numbered;
    const spoiled =
      fault?.kind === 'swapped'
        ? ordered
        : spoil(
            fault,
            texts,
            numbered.map(({ vector }) => vector),
          ).map((vector, index) => ({ vector, index }));
    const base64 = request.encoding_format === 'base64' && options.base64 !== false;
    const data = spoiled.map(({ vector, index }) => ({
      object: 'embedding',
      index,
      embedding: base64 ? base64Of(vector) : Array.from(vector),
    }));
    sendJson(response, 200, { object: 'list', data, model, usage: { prompt_tokens: 1, total_tokens: 1 } });
  }

  const server = await startEmbeddingServer(route);
  return {
    url: `${server.url}/v1`,
    seen,
    inject: (fault, times) => faults.inject(fault, times),
    heal: () => faults.heal(),
    become: (name) => (model = name),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
