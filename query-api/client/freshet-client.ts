import { readAnswer, type StreamedAnswerEvent } from './answer-stream.ts';
import { OPERATIONS, type AnswerRequest, type AnswerResponse, type Operations } from './api-types.ts';
import { FreshetProblem, problemOf, NOT_A_PROBLEM, STREAM_CUT } from './freshet-problem.ts';

// The entry of `freshet/client`: what a caller may name comes from here.
export { FreshetProblem, NOT_A_PROBLEM, STREAM_CUT };
export type * from './api-types.ts';
export type { StreamedAnswerEvent } from './answer-stream.ts';

export interface FreshetClientOptions {
  /** Where the server listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** A JWT or an API key, sent as a bearer token; a function is asked before each request, for tokens that expire. */
  readonly token?: string | (() => string | Promise<string>);
  /** Headers of every request, such as `x-freshet-tenant` where the server's auth.mode is none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: the one of the runtime. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  /** Ends the request; a streamed answer stops being written. */
  readonly signal?: AbortSignal;
}

/** Positions by source, as a database or a webhook's receipt gives them. */
export type Positions = Readonly<Record<string, string>>;

type Id = keyof Operations;
type Part<O extends Id, P extends string> = Operations[O] extends { readonly [K in P]: infer T } ? T : never;
/** The parts of an operation's request: those that it has, no others. */
export type CallParts<O extends Id> = Omit<Operations[O], 'reply' | 'events'>;

/**
 * The API of a Freshet server. Methods throw FreshetProblem for every refusal, and what `fetch` throws when nothing is reached or the signal aborts.
 * Nothing is repeated by itself: a problem with `retryAfterSeconds` may be.
 */
export interface FreshetClient {
  search(request: Part<'search', 'body'>, options?: CallOptions): Promise<Part<'search', 'reply'>>;
  /** With `stream: true` the events of the answer, in a loop that may be left at any time; a stream is asked for when the loop begins. */
  answer(request: AnswerRequest & { readonly stream: true }, options?: CallOptions): AsyncIterable<StreamedAnswerEvent>;
  answer(request: AnswerRequest & { readonly stream?: false }, options?: CallOptions): Promise<AnswerResponse>;
  /** One document as it is indexed, by its id as results have it. */
  document(id: string, options?: CallOptions): Promise<Part<'readDocument', 'reply'>>;
  freshness(options?: CallOptions): Promise<Part<'freshness', 'reply'>>;
  feedback(rating: Part<'sendFeedback', 'body'>, options?: CallOptions): Promise<Part<'sendFeedback', 'reply'>>;
  /**
   * A client whose questions are answered only from an index that has passed these positions: read your own writes. The server waits up
   * to `waitMs` and refuses with FRESHET_NOT_FRESH_YET after that. What a request says itself goes first.
   */
  after(
    positions: Positions,
    wait?: { readonly waitMs?: number; readonly waitFor?: 'searchable' | 'complete' },
  ): FreshetClient;
  /** Any operation of the API by its id: what has no method above. */
  call<O extends Id>(operation: O, parts: CallParts<O>, options?: CallOptions): Promise<Operations[O]['reply']>;
}

/** A client for one server. Opens nothing until it is asked. */
export function freshetClient(options: FreshetClientOptions): FreshetClient {
  return clientWith(sender(options), {});
}

type Send = (operation: Id, parts: RequestParts, options: CallOptions | undefined) => Promise<Response>;

interface RequestParts {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

function clientWith(send: Send, fresh: Partial<AnswerRequest>): FreshetClient {
  const call: FreshetClient['call'] = async (operation, parts, options) => {
    const reply = await send(operation, parts, options);
    return (await jsonOf(reply)) as never;
  };
  const answer = (request: AnswerRequest, options?: CallOptions) => {
    const body = { ...fresh, ...request };
    return request.stream === true ? streamAnswer(send, body, options) : call('answer', { body }, options);
  };
  return {
    search: (request, options) => call('search', { body: { ...fresh, ...request } }, options),
    answer: answer as FreshetClient['answer'],
    document: (id, options) => call('readDocument', { path: { id } }, options),
    freshness: (options) => call('freshness', {}, options),
    feedback: (body, options) => call('sendFeedback', { body }, options),
    after: (positions, wait = {}) => clientWith(send, { ...fresh, ...wait, after: { ...fresh.after, ...positions } }),
    call,
  };
}

async function* streamAnswer(
  send: Send,
  body: AnswerRequest,
  options: CallOptions | undefined,
): AsyncGenerator<StreamedAnswerEvent, void> {
  const reply = await send('answer', { body }, options);
  if (!reply.headers.get('content-type')?.startsWith('text/event-stream') || !reply.body) throw unexpected(reply);
  yield* readAnswer(reply.body);
}

function sender({ url, token, headers, fetch = globalThis.fetch }: FreshetClientOptions): Send {
  const base = url.replace(/\/+$/, '');
  return async (operation, { path = {}, query = {}, body }, options) => {
    const { method, path: template } = OPERATIONS[operation];
    const place = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
    const asked = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const search = asked.length > 0 ? `?${new URLSearchParams(asked).toString()}` : '';
    const bearer = typeof token === 'function' ? await token() : token;
    const reply = await fetch(`${base}${place}${search}`, {
      method,
      headers: {
        ...headers,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(options?.signal && { signal: options.signal }),
    });
    if (!reply.ok) throw await problemOf(reply);
    return reply;
  };
}

async function jsonOf(reply: Response): Promise<unknown> {
  try {
    return await reply.json();
  } catch (cause) {
    if (cause instanceof SyntaxError) throw unexpected(reply);
    throw cause; // aborted, or cut off
  }
}

function unexpected({ status }: Response): FreshetProblem {
  return new FreshetProblem({ code: NOT_A_PROBLEM, title: 'The reply is not of a Freshet server', status });
}
