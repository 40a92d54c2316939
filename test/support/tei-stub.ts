import type { ServerResponse } from 'node:http';
import { wordTokenizer } from '../../ports/embedder/word-tokenizer.ts';
import { EmbeddingFaults, misbehave, spoil, type EmbeddingFault } from './embedding-faults.ts';
import {
  base64Of,
  jsonNumbers,
  sendJson,
  sendText,
  startEmbeddingServer,
  type StubRequest,
} from './embedding-server.ts';
import { SimulatedGpu, type GpuOptions } from './tei-stub-gpu.ts';
import { hashVectors, pooledVectors, type StubVectors } from './tei-stub-vectors.ts';

/** What `GET /info` answers, with the field names of TEI 1.7. */
export interface TeiStubInfo {
  model_id: string;
  model_sha: string | null;
  model_dtype: string;
  model_type: { readonly embedding: { readonly pooling: string } } | { readonly reranker: object };
  max_concurrent_requests: number;
  max_input_length: number;
  max_batch_tokens: number;
  max_batch_requests: number | null;
  max_client_batch_size: number;
  auto_truncate: boolean;
  tokenization_workers: number;
  version: string;
  sha: string | null;
  docker_label: string | null;
}

export interface TeiStubOptions {
  readonly port?: number;
  readonly info?: Partial<TeiStubInfo>;
  readonly gpu?: Partial<GpuOptions>;
  readonly dimensions?: number;
  /** `hash`: near for texts with common words; `pooled`: dense and free of cost, for load. */
  readonly vectors?: 'hash' | 'pooled';
  /**
   * What becomes of a request beyond `max_concurrent_requests`. `queue`: as TEI does, whose permits are of texts: a list waits, a single text
   * is refused (its issue 662). `refuse`: 429 for either, counted in requests, as gateways in front of it do.
   */
  readonly overload?: 'queue' | 'refuse';
  /** Required in `Authorization`. */
  readonly apiKey?: string;
}

/** What happened since the start. */
export interface TeiStubCounters {
  requests: number;
  texts: number;
  refused: number;
  /** Requests for vectors in progress, now and at most. */
  inFlight: number;
  maxInFlight: number;
  /** Texts per request, of the last 10,000. */
  readonly batches: number[];
}

/** A stand-in for a text-embeddings-inference server on a GPU, for tests and load tests. */
export interface TeiStub extends AsyncDisposable {
  readonly url: string;
  readonly counters: TeiStubCounters;
  /** The next `times` requests for vectors meet a fault; all until `heal` when absent. */
  inject(fault: EmbeddingFault, times?: number): void;
  heal(): void;
  /** Serves another model from now on, without a word. */
  become(info: Partial<TeiStubInfo>): void;
}

const INFO: TeiStubInfo = {
  model_id: 'BAAI/bge-small-en-v1.5',
  model_sha: '5c38ec7c405ec4b44b94cc5a9bb96e735b38267a',
  model_dtype: 'float16',
  model_type: { embedding: { pooling: 'cls' } },
  max_concurrent_requests: 512,
  max_input_length: 512,
  max_batch_tokens: 16_384,
  max_batch_requests: null,
  max_client_batch_size: 32,
  auto_truncate: false,
  tokenization_workers: 4,
  version: '1.7.2',
  sha: 'a69cc2ee285ca87a8c7a6b8fc9abc1be360f8335',
  docker_label: 'sha-a69cc2e',
};
const GPU: GpuOptions = { streams: 1, callMs: 0, textUs: 0, tokenUs: 0 };
const SPECIAL_TOKENS = 2;
const KEPT_BATCHES = 10_000;

export async function startTeiStub(options: TeiStubOptions = {}): Promise<TeiStub> {
  const stub = new Stub(options);
  const server = await startEmbeddingServer((request, response) => stub.route(request, response), options.port);
  return {
    url: server.url,
    counters: stub.counters,
    inject: (fault, times) => stub.faults.inject(fault, times),
    heal: () => stub.faults.heal(),
    become: (info) => Object.assign(stub.info, info),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface EmbedBody {
  readonly inputs?: string | readonly string[];
  readonly input?: string | readonly string[];
  readonly truncate?: boolean;
  readonly normalize?: boolean;
  readonly encoding_format?: 'float' | 'base64';
}

class Stub {
  readonly info: TeiStubInfo;
  readonly faults = new EmbeddingFaults();
  readonly counters: TeiStubCounters = { requests: 0, texts: 0, refused: 0, inFlight: 0, maxInFlight: 0, batches: [] };
  readonly #options: TeiStubOptions;
  readonly #gpu: SimulatedGpu;
  readonly #vectors: StubVectors;
  readonly #tokensMatter: boolean;
  #textsInFlight = 0;

  constructor(options: TeiStubOptions) {
    this.#options = options;
    this.info = { ...INFO, ...options.info };
    const gpu = { ...GPU, ...options.gpu };
    this.#gpu = new SimulatedGpu(gpu);
    this.#tokensMatter = gpu.tokenUs > 0;
    const dimensions = options.dimensions ?? 384;
    this.#vectors = options.vectors === 'pooled' ? pooledVectors(dimensions) : hashVectors(dimensions);
  }

  async route({ method, path, headers, body }: StubRequest, response: ServerResponse): Promise<void> {
    const { apiKey } = this.#options;
    if (apiKey !== undefined && headers.authorization !== `Bearer ${apiKey}`) {
      response.writeHead(401).end();
      return;
    }
    switch (`${method} ${path}`) {
      case 'GET /info':
        return sendJson(response, 200, this.info);
      case 'GET /health':
        return void response.writeHead(200).end();
      case 'POST /':
      case 'POST /embed':
        return this.#embed(body, 'tei', response);
      case 'POST /v1/embeddings':
      case 'POST /embeddings':
        return this.#embed(body, 'openai', response);
      case 'POST /tokenize':
        return this.#tokenize(body, response);
      case 'GET /stub/counters':
        return sendJson(response, 200, { ...this.counters, busyMs: this.#gpu.busyMs });
      case 'POST /stub/faults': {
        const { fault, times } = JSON.parse(body) as { fault: EmbeddingFault; times?: number };
        this.faults.inject(fault, times);
        return sendJson(response, 200, {});
      }
      case 'POST /stub/heal':
        this.faults.heal();
        return sendJson(response, 200, {});
      default:
        return void response.writeHead(404).end();
    }
  }

  async #embed(json: string, protocol: 'tei' | 'openai', response: ServerResponse): Promise<void> {
    this.counters.requests++;
    let body: EmbedBody;
    try {
      // serde refuses what JavaScript lets pass: half of a surrogate pair.
      if (/\\ud[89a-f]/i.test(json) && hasLoneEscape(json)) throw new SyntaxError('lone surrogate');
      body = JSON.parse(json) as EmbedBody;
    } catch {
      response.writeHead(400, { 'content-type': 'text/plain' }).end('Failed to parse the request body as JSON');
      return;
    }
    const input = protocol === 'tei' ? body.inputs : body.input;
    const texts = typeof input === 'string' ? [input] : (input ?? []);
    const single = typeof input === 'string';
    const refusal = this.#refusalOf(texts, single, body.truncate ?? this.info.auto_truncate);
    if (refusal) return this.#refuse(response, protocol, ...refusal);
    const { counters } = this;
    counters.texts += texts.length;
    counters.inFlight++;
    counters.maxInFlight = Math.max(counters.maxInFlight, counters.inFlight);
    if (counters.batches.push(texts.length) > KEPT_BATCHES) counters.batches.shift();
    this.#textsInFlight += texts.length;
    try {
      const fault = this.faults.take();
      if (await misbehave(fault, texts, response)) return;
      await this.#gpu.run(texts.length, this.#tokensMatter ? this.#tokensOf(texts) : 0);
      await this.#reply(texts, body, protocol, fault, response);
    } finally {
      counters.inFlight--;
      this.#textsInFlight -= texts.length;
    }
  }

  /** Status, error type and message, as TEI maps them. */
  #refusalOf(
    texts: readonly string[],
    single: boolean,
    truncate: boolean,
  ): readonly [number, string, string] | undefined {
    const { max_client_batch_size: most, max_input_length: longest, max_concurrent_requests: permits } = this.info;
    if (texts.length === 0) return [400, 'empty', '`inputs` cannot be empty'];
    if (texts.length > most) {
      return [413, 'validation', `batch size ${texts.length} > maximum allowed batch size ${most}`];
    }
    if (texts.includes('')) return [413, 'validation', '`inputs` cannot be empty'];
    if (!truncate) {
      // Only what has more characters than tokens are allowed can have more tokens.
      const given = texts.filter((text) => text.length > longest).map((text) => this.#tokensOf([text]));
      const over = given.find((tokens) => tokens > longest);
      if (over) return [413, 'validation', `\`inputs\` must have less than ${longest} tokens. Given: ${over}`];
    }
    const refuses = this.#options.overload === 'refuse';
    if (refuses ? this.counters.inFlight >= permits : single && this.#textsInFlight >= permits) {
      this.counters.refused++;
      return [429, 'overloaded', 'Model is overloaded'];
    }
    return undefined;
  }

  #refuse(response: ServerResponse, protocol: 'tei' | 'openai', status: number, type: string, message: string): void {
    const body = protocol === 'tei' ? { error: message, error_type: type } : { message, code: status, type };
    sendJson(response, status, body);
  }

  async #reply(
    texts: readonly string[],
    { normalize = true, encoding_format: format }: EmbedBody,
    protocol: 'tei' | 'openai',
    fault: EmbeddingFault | undefined,
    response: ServerResponse,
  ): Promise<void> {
    if (protocol === 'tei' && fault === undefined && normalize) {
      return sendText(response, 200, `[${(await this.#vectors.json(texts)).join(',')}]`);
    }
    const right = await this.#vectors.of(texts);
    const vectors = spoil(normalize ? fault : (fault ?? { kind: 'unscaled' }), texts, right);
    if (protocol === 'tei') return sendText(response, 200, `[${vectors.map(jsonNumbers).join(',')}]`);
    const data = vectors.map((vector, index) => {
      const embedding = format === 'base64' ? JSON.stringify(base64Of(vector)) : jsonNumbers(vector);
      return `{"object":"embedding","embedding":${embedding},"index":${index}}`;
    });
    const tokens = this.#tokensOf(texts);
    const usage = JSON.stringify({ prompt_tokens: tokens, total_tokens: tokens });
    const model = JSON.stringify(this.info.model_id);
    sendText(response, 200, `{"object":"list","data":[${data.join(',')}],"model":${model},"usage":${usage}}`);
  }

  #tokenize(body: string, response: ServerResponse): void {
    const { inputs } = JSON.parse(body) as { inputs: string | readonly string[] };
    const texts = typeof inputs === 'string' ? [inputs] : inputs;
    const tokens = texts.map((text) => {
      const starts = [...wordTokenizer.starts(text)];
      return starts.map((start, i) => ({
        id: 1000 + i,
        text: text.slice(start, starts[i + 1] ?? text.length).trimEnd(),
        special: false,
        start,
        stop: starts[i + 1] ?? text.length,
      }));
    });
    sendJson(response, 200, tokens);
  }

  #tokensOf(texts: readonly string[]): number {
    return texts.reduce((sum, text) => sum + wordTokenizer.count(text) + SPECIAL_TOKENS, 0);
  }
}

/** Whether a JSON text holds an escaped half of a surrogate pair. */
function hasLoneEscape(json: string): boolean {
  return /\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f]/i.test(json);
}
