import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../runtime/clock.ts';
import { silentLogger } from '../../../runtime/logger.ts';
import type { GenerateEvent, GenerateRequest, Generator } from '../generator.ts';

/** What the stub does next: bytes to send, or a fault. `stall` waits until the client leaves. */
export type StubStep = string;

/** One answer of the stub. */
export interface StubReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly steps?: readonly StubStep[];
}

/** A request as the stub saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** Resolves when the client has closed the connection before the reply was complete. */
  readonly left: Promise<void>;
}

const frame = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, finish: string | null = null) => ({
  id: 'chatcmpl-1f6d3f0c',
  object: 'chat.completion.chunk',
  created: 1_760_000_000,
  model: 'qwen',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
});

/** As vLLM sends it: the role alone, text, the end with empty text, usage without choices, `[DONE]`. */
export function vllmStream(texts: readonly string[], finish = 'stop'): readonly string[] {
  return [
    frame(chunk({ role: 'assistant', content: '' })),
    ...texts.map((content) => frame(chunk({ content }))),
    frame({ ...chunk({ content: '' }, finish), stop_reason: null }),
    frame({ ...chunk({}), choices: [], usage: { prompt_tokens: 321, total_tokens: 333, completion_tokens: 12 } }),
    'data: [DONE]\n\n',
  ];
}

/** As TGI 3 sends it: the role in every chunk, `usage: null` until the end, no space behind `data:`. */
export function tgiStream(texts: readonly string[], finish = 'stop'): readonly string[] {
  const tgi = (content: string, ended: string | null = null) => ({
    ...chunk({ role: 'assistant', content }, ended),
    id: '',
    model: 'Qwen/Qwen2.5-7B-Instruct',
    system_fingerprint: '3.3.6-native',
    usage: null,
  });
  return [
    ...texts.map((content) => frame(tgi(content))),
    frame(tgi('', finish)),
    frame({ ...tgi(''), choices: [], usage: { prompt_tokens: 321, completion_tokens: 12, total_tokens: 333 } }),
    'data: [DONE]\n\n',
  ].map((each) => each.replace('data: ', 'data:'));
}

/** A server that answers questions as its script says; what the script does not say is `otherwise`. */
export class ChatStub implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly script: StubReply[] = [];
  otherwise: StubReply = { steps: vllmStream(['Yes.']) };
  /** Replies of GET, by path. */
  readonly pages: Record<string, unknown> = {};
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  /** Without a path. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const left = new Promise<void>((resolve) => {
      response.once('close', () => {
        if (!response.writableFinished) resolve();
      });
    });
    let text = '';
    for await (const part of request) text += String(part);
    const path = request.url ?? '';
    if (request.method === 'GET') {
      const page = this.pages[path];
      response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(page ?? {}));
      return;
    }
    const { authorization } = request.headers;
    const body = JSON.parse(text) as SeenRequest['body'];
    this.requests.push({ method: request.method ?? '', path, authorization, body, left });
    await this.#reply(this.script.shift() ?? this.otherwise, response, left);
  }

  async #reply({ status = 200, headers, steps = [] }: StubReply, response: ServerResponse, left: Promise<void>) {
    response.writeHead(status, headers ?? { 'content-type': 'text/event-stream; charset=utf-8' });
    response.flushHeaders();
    for (const step of steps) {
      if (step === 'cut') {
        response.destroy();
        return;
      }
      if (step === 'stall') await left;
      else response.write(step);
      // Each step is a packet of its own.
      await new Promise(setImmediate);
    }
    response.end();
  }
}

/** Options of a generator that gives up soon enough for a test, and never in a test where nothing is silent. */
export const GENERATOR_OPTIONS = {
  maxTokens: 256,
  contextTokens: 4_096,
  temperature: 0,
  timeoutMs: 20_000,
  stallMs: 20_000,
  maxConcurrent: 2,
  maxWaiting: 1,
  unsupported: 'mark',
  clock: systemClock,
  random: () => 0.5,
  logger: silentLogger,
} as const;

/** A question whose passages hold the answer. */
export const LOCK_QUESTION: GenerateRequest = {
  question: 'How long is a job lock held before it expires?',
  passages: [
    {
      marker: 1,
      rank: 1,
      title: 'Locks',
      text: 'A job lock is held for 30 seconds before it expires. Workers renew it.',
    },
    { marker: 2, rank: 2, title: 'Queues', text: 'A queue holds jobs until a worker takes them.' },
  ],
};

/** The words of a good model for it. */
export const LOCK_ANSWER = [
  'A job lock',
  ' is held for',
  ' 30 seconds',
  ' before it expires.',
  ' [',
  '1',
  ']',
] as const;

/** Everything that a generator says; what it throws in the end is kept with it. */
export async function tell(
  generator: Generator,
  request: GenerateRequest = LOCK_QUESTION,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ readonly text: string; readonly events: readonly GenerateEvent[]; readonly error: unknown }> {
  const events: GenerateEvent[] = [];
  let error: unknown;
  try {
    for await (const event of generator.generate(request, signal)) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  const text = events.map((event) => (event.kind === 'token' ? event.text : '')).join('');
  return { text, events, error };
}
