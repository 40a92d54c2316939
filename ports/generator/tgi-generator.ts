import { InferenceClient } from '@huggingface/inference';
import type { Clock } from '../../runtime/clock.ts';
import type { ChatDelta, ChatEndpoint, ChatRequest } from './remote/chat-endpoint.ts';
import { bodyFailure, chatFetch, maxStreamBytes } from './remote/chat-fetch.ts';
import { isFields, readChunk, unusable } from './remote/read-chunk.ts';
import { RemoteGenerator, type RemoteGeneratorOptions } from './remote/remote-generator.ts';

/** Where a text-generation-inference server is. */
export interface TgiGeneratorOptions extends Omit<RemoteGeneratorOptions, 'endpoint'> {
  /** Of the server, without a path: `http://tgi:8080`. */
  readonly url: string;
  /** For answers and metrics; the server has one model only. */
  readonly model?: string;
  readonly apiKey?: string;
}

/** Of `GET /info`. */
const MAX_INFO_BYTES = 262_144;

/** Writes with Hugging Face text-generation-inference. Opening it asks nothing of the server. */
export function tgiGenerator(options: TgiGeneratorOptions): RemoteGenerator {
  return new RemoteGenerator({ ...options, endpoint: new TgiEndpoint(options) });
}

class TgiEndpoint implements ChatEndpoint {
  readonly name = 'TGI';
  readonly model: string;
  readonly #client: InferenceClient;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, model = 'tgi', apiKey, clock }: TgiGeneratorOptions) {
    this.#url = url.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.model = model;
    this.#client = new InferenceClient(apiKey);
    this.#headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    this.#clock = clock;
  }

  async *stream({ messages, maxTokens, temperature }: ChatRequest, signal: AbortSignal): AsyncIterable<ChatDelta> {
    // The client neither cancels the body when its iteration is left nor tells a cut stream from one that has ended: see docs/adr/0019-generation.md.
    const left = new AbortController();
    const either = AbortSignal.any([signal, left.signal]);
    try {
      const chunks = this.#client.chatCompletionStream(
        {
          endpointUrl: this.#url,
          model: this.model,
          messages: messages.map(({ role, content }) => ({ role, content })),
          max_tokens: maxTokens,
          // TGI's chat route is greedy at 0 alone; without a temperature it samples.
          temperature,
          stream_options: { include_usage: true },
        },
        {
          // It repeats a 503 at once and without end unless it is told not to.
          retry_on_error: false,
          signal: either,
          fetch: chatFetch(this.#clock, maxStreamBytes(maxTokens), either),
        },
      );
      for await (const chunk of chunks) yield* readChunk(chunk);
    } catch (error) {
      signal.throwIfAborted();
      throw failureOf(error);
    } finally {
      left.abort();
    }
  }

  async probe(signal: AbortSignal): Promise<string> {
    const fetch = chatFetch(this.#clock, MAX_INFO_BYTES, signal);
    const response = await fetch(`${this.#url}/info`, { headers: this.#headers });
    let info: unknown;
    try {
      info = await response.json();
    } catch (error) {
      signal.throwIfAborted();
      throw bodyFailure(error);
    }
    const name = isFields(info) ? info['model_id'] : undefined;
    if (!isFields(info) || typeof name !== 'string')
      throw unusable('GET /info names no model: is it a text-generation-inference server?');
    const { max_input_tokens: input = info['max_input_length'], max_total_tokens: total } = info;
    return `serves ${name}, ${String(input)} tokens of prompt, ${String(total)} in all`;
  }
}

/** The client's errors hold the request, and so the passages; of an error in the stream it keeps the server's reply. */
function failureOf(error: unknown): Error {
  const reply = isFields(error) ? error['httpResponse'] : undefined;
  const body = isFields(reply) ? reply['body'] : undefined;
  if (!isFields(body))
    return reply === undefined ? bodyFailure(error) : unusable('the reply is not a stream of events');
  try {
    readChunk(body);
  } catch (failure) {
    return failure as Error;
  }
  return unusable('an error in the stream');
}
