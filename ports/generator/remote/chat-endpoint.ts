import type { RequestFailure } from '../../remote/request-failure.ts';
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

/** Thrown by an endpoint. `fault.reason` holds no text of prompts or answers, and no secret. */
export class ChatFailure extends Error {
  readonly fault: RequestFailure;

  constructor(fault: RequestFailure) {
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
