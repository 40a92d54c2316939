import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Clock } from '../../runtime/clock.ts';
import { InvalidConfig } from '../../runtime/errors.ts';
import type { ChatDelta, ChatEndpoint, ChatRequest } from './remote/chat-endpoint.ts';
import { bodyFailure, chatFetch, maxStreamBytes } from './remote/chat-fetch.ts';
import { isFields, readChunk, unusable } from './remote/read-chunk.ts';
import { RemoteGenerator, type RemoteGeneratorOptions } from './remote/remote-generator.ts';

/** Where an OpenAI-compatible server is: vLLM, SGLang, llama.cpp, OpenAI, TGI's `/v1`. */
export interface OpenAiGeneratorOptions extends Omit<RemoteGeneratorOptions, 'endpoint'> {
  /** Up to and with the version: `http://vllm:8000/v1`. */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string;
}

/** Models that are named when the configured one is not served. */
const MAX_NAMED_MODELS = 5;
/** Of a list of models; hubs list hundreds. */
const MAX_LIST_BYTES = 4_194_304;

/** Writes with any server that streams OpenAI's `POST /chat/completions`. Opening it asks nothing of the server. */
export function openaiGenerator(options: OpenAiGeneratorOptions): RemoteGenerator {
  return new RemoteGenerator({ ...options, endpoint: new OpenAiEndpoint(options) });
}

class OpenAiEndpoint implements ChatEndpoint {
  readonly name = 'OpenAI-compatible';
  readonly model: string;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #clock: Clock;

  constructor({ url, model, apiKey, clock }: OpenAiGeneratorOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.model = model;
    this.#headers = {
      'content-type': 'application/json',
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    };
    this.#clock = clock;
  }

  async *stream({ messages, maxTokens, temperature }: ChatRequest, signal: AbortSignal): AsyncIterable<ChatDelta> {
    const fetch = chatFetch(this.#clock, maxStreamBytes(maxTokens), signal);
    const body = JSON.stringify({
      model: this.model,
      messages,
      max_tokens: maxTokens,
      temperature,
      stream: true,
      stream_options: { include_usage: true },
    });
    const response = await fetch(`${this.#url}/chat/completions`, { method: 'POST', headers: this.#headers, body });
    if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
      throw unusable('the reply is not a stream of events');
    try {
      for await (const data of eventsOf(response)) yield* readChunk(JSON.parse(data));
    } catch (error) {
      signal.throwIfAborted();
      throw bodyFailure(error);
    }
  }

  async probe(signal: AbortSignal): Promise<string> {
    const fetch = chatFetch(this.#clock, MAX_LIST_BYTES, signal);
    const response = await fetch(`${this.#url}/models`, { headers: this.#headers });
    let list: unknown;
    try {
      list = await response.json();
    } catch (error) {
      signal.throwIfAborted();
      throw bodyFailure(error);
    }
    const models = isFields(list) && Array.isArray(list['data']) ? (list['data'] as readonly unknown[]) : undefined;
    if (!models) throw unusable('GET /models gives no list');
    const names = models.flatMap((model) => (isFields(model) && typeof model['id'] === 'string' ? [model['id']] : []));
    if (names.includes(this.model)) return `serves ${this.model}`;
    const served = names.slice(0, MAX_NAMED_MODELS).join(', ');
    throw new InvalidConfig(
      `it does not serve the model ${JSON.stringify(this.model)}, but ${served === '' ? 'none' : served}`,
    );
  }
}

/** The data of each event up to `[DONE]`. Servers that go on beyond it are not waited for. */
async function* eventsOf(response: Response): AsyncIterable<string> {
  if (!response.body) return;
  let events: EventSourceMessage[] = [];
  let fault: Error | undefined;
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    // An older llama.cpp puts errors into a field of its own, `error:`, which the standard ignores and a reader would wait behind.
    onError: (error) => {
      if (error.type === 'unknown-field' && error.field === 'error') fault = unusable('an error in the stream');
    },
  });
  const decoder = new TextDecoder();
  for await (const part of response.body) {
    parser.feed(decoder.decode(part, { stream: true }));
    for (const { data, event } of events) {
      if (data === '[DONE]') return;
      if (event === 'error' && !data.startsWith('{')) throw unusable('an error in the stream');
      yield data;
    }
    if (fault) throw fault;
    events = [];
  }
}
