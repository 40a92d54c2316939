import type { GenerateRequest } from '../generator.ts';

/** One message of a chat, as servers take it. */
export interface ChatMessage {
  readonly role: 'system' | 'user';
  readonly content: string;
}

/** A prompt as a versioned file of this folder. Pure: the same request makes the same messages. */
export interface GroundedPrompt {
  /** Name and version, `grounded-answer/1`; part of what an answer depends on. */
  readonly version: string;
  messages(request: GenerateRequest): readonly ChatMessage[];
}
