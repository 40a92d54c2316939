import type { ChatMessage } from '../prompts/grounded-prompt.ts';

/** What is asked of a server. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number;
  readonly temperature: number;
}

/** One thing that a server's stream tells, in the order of the stream. */
export type ChatDelta =
  | { readonly kind: 'text'; readonly text: string }
  /** A sign of life that nobody is shown: the role, or thoughts. */
  | { readonly kind: 'alive' }
  /** The model has ended. `length`: at maxTokens; `refused`: it, or a filter, will not answer. */
  | { readonly kind: 'finish'; readonly reason: 'stop' | 'length' | 'refused' }
  | { readonly kind: 'usage'; readonly promptTokens: number; readonly completionTokens: number };

/** What became of a request that did not end as it should; the kinds are those of a remote embedder. */
export type ChatFault =
  /** The server is alive and wants less for a time. */
  | { readonly kind: 'overloaded'; readonly reason: string; readonly retryAfterMs: number | undefined }
  /** No reply, a broken one or a failing server. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs: number | undefined }
  /** The server does not take this request: the prompt is too long for it, or a parameter is. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The key, the address or the model's name is wrong. */
  | { readonly kind: 'forbidden'; readonly reason: string }
  /** A reply that is not of the protocol. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** Thrown by an endpoint. `fault.reason` holds no text of prompts or answers, and no secret. */
export class ChatFailure extends Error {
  readonly fault: ChatFault;

  constructor(fault: ChatFault) {
    super(fault.reason);
    this.fault = fault;
  }
}

/** One server that writes, as the generator sees it. One request per call: no retries, no timeouts of its own. */
export interface ChatEndpoint {
  /** For messages: `TGI`, `OpenAI-compatible`. */
  readonly name: string;
  /** For answers and metrics. */
  readonly model: string;
  /**
   * Asks, and tells what comes. Leaving the iteration or aborting closes the connection.
   * @throws ChatFailure, the signal's reason.
   */
  stream(request: ChatRequest, signal: AbortSignal): AsyncIterable<ChatDelta>;
  /** What the server says of itself, in a sentence; costs no tokens. @throws ChatFailure, InvalidConfig when it cannot serve as configured. */
  probe(signal: AbortSignal): Promise<string>;
}
