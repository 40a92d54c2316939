import { deadline } from '../../../runtime/deadline.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { ModelMismatch } from '../../../runtime/errors.ts';
import type { EmbeddingEndpoint } from './endpoint.ts';

/** How long an answer to "which model are you" is believed: the most time whose vectors a silently changed model may have made. */
const BELIEVED_MS = 10_000;

/** What is known of the model behind an address since it was opened. */
export interface ExpectedModel {
  /** What `endpoint.identify` must answer; undefined where it cannot be asked. */
  readonly identity: string | undefined;
  /** The model that replies must name; undefined where they name none. */
  readonly servedBy: string | undefined;
}

/** `same`: go on; `unknown`: the service could not be asked, so nothing that it sent may be used; else another model answers. */
export type Confirmation = 'same' | 'unknown' | ModelMismatch;

/**
 * Whether the service still serves the model that it was opened with. Asked after a reply came and before its vectors are used, when the last answer
 * is too old, and always after a connection failed: a server that came back may have come back as another.
 */
export class Identity {
  readonly #endpoint: EmbeddingEndpoint;
  readonly #expected: ExpectedModel;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #believedUntilMs: number;
  #asking: Promise<Confirmation> | undefined;

  constructor(options: {
    readonly endpoint: EmbeddingEndpoint;
    readonly expected: ExpectedModel;
    readonly clock: Clock;
    readonly timeoutMs: number;
  }) {
    this.#endpoint = options.endpoint;
    this.#expected = options.expected;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#believedUntilMs = options.clock.monotonicMs() + BELIEVED_MS;
  }

  /** The next reply is not used before the service was asked. */
  doubt(): void {
    this.#believedUntilMs = -Infinity;
  }

  /** @param servedBy the model that a reply names. @throws the signal's reason. */
  async confirm(servedBy: string | undefined, signal: AbortSignal): Promise<Confirmation> {
    const { identity, servedBy: expected } = this.#expected;
    if (servedBy !== undefined && expected !== undefined && servedBy !== expected) {
      return new ModelMismatch(`The ${this.#endpoint.name} embedder answers with model ${servedBy}, not ${expected}.`);
    }
    if (identity === undefined || this.#clock.monotonicMs() < this.#believedUntilMs) return 'same';
    this.#asking ??= this.#ask(identity, signal).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(identity: string, signal: AbortSignal): Promise<Confirmation> {
    const limited = deadline(this.#clock, this.#timeoutMs, signal);
    let found: string | undefined;
    try {
      found = await this.#endpoint.identify?.(limited.signal);
    } catch {
      signal.throwIfAborted();
    } finally {
      limited.end();
    }
    if (found === undefined) return 'unknown';
    if (found !== identity) {
      return new ModelMismatch(
        `The ${this.#endpoint.name} embedder changed its model from ${identity} to ${found}; vectors of the last ` +
          `${BELIEVED_MS / 1000} s may be of either. Embed again with "freshet upgrade", or serve the old model.`,
      );
    }
    this.#believedUntilMs = this.#clock.monotonicMs() + BELIEVED_MS;
    return 'same';
  }
}
