import type { ServerResponse } from 'node:http';
import { EmbeddingFaults, misbehave, spoil } from './embedding-faults.ts';
import { base64Of, sendJson, startEmbeddingServer, type StubRequest } from './embedding-server.ts';
import type { EmbeddingStub, SeenRequest } from './openai-stub.ts';
import { hashVectors } from './tei-stub-vectors.ts';

const MAX_TEXTS = 96;

/** Cohere's `POST /v2/embed`: vectors in the order of the texts, nothing that says which is which. */
export async function startCohereStub(options: { readonly apiKey?: string } = {}): Promise<EmbeddingStub> {
  const faults = new EmbeddingFaults();
  const seen: SeenRequest[] = [];

  async function route({ method, path, headers, body }: StubRequest, response: ServerResponse): Promise<void> {
    if (method !== 'POST' || path !== '/v2/embed') return sendJson(response, 404, { message: 'not found' });
    if (options.apiKey !== undefined && headers.authorization !== `Bearer ${options.apiKey}`) {
      return sendJson(response, 401, { message: 'invalid api token' });
    }
    const request = JSON.parse(body) as {
      readonly texts: readonly string[];
      readonly input_type: string;
      readonly embedding_types: readonly string[];
      readonly output_dimension?: number;
    };
    const { texts } = request;
    seen.push({ texts, inputType: request.input_type });
    if (texts.length === 0 || texts.length > MAX_TEXTS || texts.includes('')) {
      return sendJson(response, 400, { message: 'invalid request: texts' });
    }
    const fault = faults.take();
    if (await misbehave(fault, texts, response)) return;
    const vectors = spoil(fault, texts, await hashVectors(request.output_dimension ?? 256).of(texts));
    const embeddings = request.embedding_types.includes('base64')
      ? { base64: vectors.map(base64Of) }
      : { float: vectors.map((vector) => Array.from(vector)) };
    sendJson(response, 200, {
      id: 'b5c3c2d0',
      embeddings,
      texts,
      response_type: 'embeddings_by_type',
      meta: { api_version: { version: '2' }, billed_units: { input_tokens: 1 } },
    });
  }

  const server = await startEmbeddingServer(route);
  return {
    url: server.url,
    seen,
    inject: (fault, times) => faults.inject(fault, times),
    heal: () => faults.heal(),
    become: () => undefined,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
