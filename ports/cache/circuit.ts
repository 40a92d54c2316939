import type { Clock, Random } from '../../runtime/clock.ts';
import { retryDelayMs } from '../../runtime/retry.ts';

/** How long a circuit stays open before somebody may probe. */
export interface CircuitOptions {
  /** Pause after the first failure, ms; doubles with every failed probe up to `maxPauseMs`, with jitter. */
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Whether a server may be asked. Closed: everybody asks. Open: nobody does, so that a dead server costs its callers nothing. After a
 * pause one probe is let through (half-open), and its outcome closes the circuit or lengthens the pause. Begins open, with no pause.
 */
export class Circuit {
  readonly #options: CircuitOptions;
  #closed = false;
  #probing = false;
  #failedProbes = 0;
  #probeAtMs = -Infinity;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A caller got no answer. True when this opened the circuit; whoever asked before it opened changes nothing more. */
  open(): boolean {
    if (!this.#closed) return false;
    this.#closed = false;
    this.#failedProbes = 0;
    this.#pause();
    return true;
  }

  /** True for the one caller that is to probe now, and then calls `probed`. */
  startProbe(): boolean {
    if (this.#closed || this.#probing || this.#options.clock.monotonicMs() < this.#probeAtMs) return false;
    this.#probing = true;
    return true;
  }

  /** What a probe has found out. */
  probed(answered: boolean): void {
    this.#probing = false;
    this.#closed = answered;
    this.#failedProbes = answered ? 0 : this.#failedProbes + 1;
    if (!answered) this.#pause();
  }

  /** The next probe need not wait: something has changed, as a connection that was made anew. */
  endPause(): void {
    this.#probeAtMs = -Infinity;
  }

  #pause(): void {
    const { minPauseMs, maxPauseMs, random, clock } = this.#options;
    this.#probeAtMs =
      clock.monotonicMs() +
      retryDelayMs(this.#failedProbes + 1, { minDelayMs: minPauseMs, maxDelayMs: maxPauseMs, random });
  }
}
