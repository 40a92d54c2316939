import type { ServerResponse } from 'node:http';
import { misbehave, type EmbeddingFault } from './embedding-faults.ts';
import { sendJson, sendText, startEmbeddingServer, type StubRequest } from './embedding-server.ts';

/** What a stub of a reranking server does instead of answering as it should. */
export type RerankFault =
  | Extract<EmbeddingFault, { readonly kind: 'status' | 'hang' | 'cut' | 'garbage' }>
  /** The best score is not a number, as serde writes it: `null`. */
  | { readonly kind: 'nan' }
  /** The worst half of the scores is missing. */
  | { readonly kind: 'half' }
  /** The best text comes twice, and the last one not at all. */
  | { readonly kind: 'twice' }
  /** The best score is of a text that was not sent. */
  | { readonly kind: 'stranger' }
  /** Answers 200 with JSON of another form. */
  | { readonly kind: 'other-form' };

/** What `GET /info` answers: the fields of TEI 1.7 that are read. */
export interface RerankStubInfo {
  model_id: string;
  model_type: object;
  max_input_length: number;
  max_client_batch_size: number;
}

/** A request that came through to the model. */
export interface SeenRerank {
  readonly path: string;
  readonly query: string;
  readonly texts: readonly string[];
  readonly model?: string;
  /** Whether the caller has hung up before it got its reply. */
  aborted: boolean;
}

/** A stand-in for a reranking server, TEI's and Cohere's at once. A text is as good as it has words of the query. */
export interface RerankStub extends AsyncDisposable {
  readonly url: string;
  readonly info: RerankStubInfo;
  readonly seen: readonly SeenRerank[];
  /** The next `times` requests meet a fault; all until `heal` when absent. */
  inject(fault: RerankFault, times?: number): void;
  heal(): void;
}

const INFO: RerankStubInfo = {
  model_id: 'BAAI/bge-reranker-base',
  model_type: { reranker: { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } } },
  max_input_length: 512,
  max_client_batch_size: 32,
};

interface Rank {
  readonly index: number;
  readonly score: number | null;
}

export async function startRerankStub(options: { readonly apiKey?: string } = {}): Promise<RerankStub> {
  const info = structuredClone(INFO);
  const seen: SeenRerank[] = [];
  let planned: { readonly fault: RerankFault; times: number }[] = [];

  async function route({ method, path, headers, body }: StubRequest, response: ServerResponse): Promise<void> {
    if (options.apiKey !== undefined && headers.authorization !== `Bearer ${options.apiKey}`)
      return sendJson(response, 401, { message: 'invalid api token' });
    if (method === 'GET' && path === '/info') return sendJson(response, 200, info);
    const isTei = path === '/rerank';
    if (method !== 'POST' || (!isTei && path !== '/v2/rerank')) return sendJson(response, 404, { error: 'not found' });
    const { query, model, ...rest } = JSON.parse(body) as Readonly<Record<'query' | 'model', string>> &
      Readonly<Record<'texts' | 'documents', readonly string[]>> & {
        readonly truncate?: boolean;
        readonly raw_scores?: boolean;
      };
    const texts = isTei ? rest.texts : rest.documents;
    // Parsers outside of JavaScript refuse half a surrogate pair.
    if (/\\ud[89a-f]/i.test(body)) return sendJson(response, 422, { error: 'lone leading surrogate in hex escape' });
    if (texts.length === 0 || texts.includes('') || (isTei && texts.length > info.max_client_batch_size))
      return sendJson(response, 413, { error: 'batch size', error_type: 'validation' });
    if (isTei && !rest.truncate && texts.some((text) => wordsOf(query + text).length > info.max_input_length))
      return sendJson(response, 413, { error: '`inputs` must have less tokens', error_type: 'validation' });
    const request: SeenRerank = { path, query, texts, ...(model !== undefined && { model }), aborted: false };
    seen.push(request);
    response.once('close', () => (request.aborted = !response.writableFinished));
    const fault = takeFault();
    const isCommon = fault && ['status', 'hang', 'cut', 'garbage'].includes(fault.kind);
    if (isCommon && (await misbehave(fault as EmbeddingFault, texts, response))) return;
    if (fault?.kind === 'other-form') return sendText(response, 200, '{"ranks":"none"}');
    const scored = rank(query, texts);
    const ranks = spoil(fault, isTei && !rest.raw_scores ? scored.map(saturated) : scored);
    const results = ranks.map(({ index, score }) => ({ index, relevance_score: score }));
    sendJson(response, 200, isTei ? ranks : { id: '07734bd2', results, meta: {} });
  }

  function takeFault(): RerankFault | undefined {
    const [first] = planned;
    if (first && --first.times <= 0) planned.shift();
    return first?.fault;
  }

  const server = await startEmbeddingServer(route);
  return {
    url: server.url,
    info,
    seen,
    inject: (fault, times = Infinity) => planned.push({ fault, times }),
    heal: () => {
      planned = [];
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Best first, as both servers reply. */
function rank(query: string, texts: readonly string[]): readonly Rank[] {
  const wanted = new Set(wordsOf(query));
  return texts
    .map((text, index) => ({
      index,
      score: new Set(wordsOf(text).filter((word) => wanted.has(word))).size / wanted.size,
    }))
    .sort((a, b) => b.score - a.score || b.index - a.index);
}

/** The sigmoid of a sure model: in 32 bits every good score is 1. */
function saturated({ index, score }: Rank): Rank {
  return { index, score: Math.fround(1 / (1 + Math.exp(-100 * (score ?? 0)))) };
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

function spoil(fault: RerankFault | undefined, ranks: readonly Rank[]): readonly Rank[] {
  switch (fault?.kind) {
    case 'nan':
      return ranks.map((each, place) => (place === 0 ? { ...each, score: null } : each));
    case 'half':
      return ranks.slice(0, ranks.length >> 1);
    case 'twice':
      return [...ranks.slice(0, 1), ...ranks.slice(0, -1)];
    case 'stranger':
      return ranks.map((each, place) => (place === 0 ? { ...each, index: ranks.length } : each));
    case 'status':
    case 'hang':
    case 'cut':
    case 'garbage':
    case 'other-form':
    case undefined:
      return ranks;
  }
}
