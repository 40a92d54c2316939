import type { Usage } from '../../schemas/answer.ts';
import type { ExplainedStatement } from '../../schemas/explanation.ts';

/** A passage as the prompt shows it. `marker` is the number a citation uses, from 1. */
export interface GroundingPassage {
  readonly marker: number;
  readonly title: string;
  readonly text: string;
  /** Rank order of retrieval, best first; the extractive generator uses it as evidence. */
  readonly rank: number;
}

/**
 * Collects why an answer is as it is, for a caller who asked. A generator that begins anew, because an attempt failed, begins it anew as well. Writing
 * into it changes nothing of the answer.
 */
export interface GenerateTrace {
  /** Markers of the passages that were read: all, or what fitted into the prompt. */
  read: readonly number[];
  /** Marker of the passage of which only the first sentences fitted. */
  cut: number | undefined;
  /** In the order of the answer. */
  statements: ExplainedStatement[];
}

/** A question with the passages that its answer must rest on, best first. */
export interface GenerateRequest {
  readonly question: string;
  readonly passages: readonly GroundingPassage[];
  /** Present when somebody wants to know why; an adapter fills in what it knows. */
  readonly trace?: GenerateTrace;
}

/**
 * What a generator yields: text as it comes, a citation after the words it supports, at the end `done`. `refused` means the
 * passages do not hold an answer; then there is no citation.
 */
export type GenerateEvent =
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'citation'; readonly marker: number; readonly quote: string }
  | {
      readonly kind: 'done';
      readonly refused: boolean;
      /** Why it was refused, or what is odd about the answer, as that it was cut. */
      readonly reason?: string;
      readonly usage: Usage;
      /** Who wrote it, where that is not the generator's first choice; and with which prompt. */
      readonly model?: string;
      readonly prompt?: string;
    };

/** Writes an answer from passages, and from nothing else. Every adapter passes `generator.conformance.ts`. */
export interface Generator extends AsyncDisposable {
  /** The model of first choice. */
  readonly model: string;
  /** Name and version of its prompt; absent without a model. With `model` it is what an answer depends on besides the passages. */
  readonly prompt?: string;
  /**
   * Exactly one `done`, last. Aborting the signal, or leaving the iteration, stops the work behind it.
   * @throws GeneratorUnavailable, Overloaded, the signal's reason.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent>;
}
