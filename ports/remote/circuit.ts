import type { Clock, Random } from '../../runtime/clock.ts';
import { retryDelayMs } from '../../runtime/retry.ts';

/** Requests that fail one after the other before the server counts as down. */
const FAILURES_TO_OPEN = 5;
const MIN_OPEN_MS = 500;
const MAX_OPEN_MS = 30_000;

/**
 * Whether it makes sense to send: after several failures without a success between them the server counts as down, and for a time that
 * grows nothing is sent, so that callers learn at once instead of waiting for timeouts. Then one request tries.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #random: Random;
  #failures = 0;
  #openings = 0;
  #openUntilMs: number | undefined;
  #trying = false;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /** `closed`: send; `open`: do not; `trial`: send one request and wait for what becomes of it. */
  get state(): 'closed' | 'open' | 'trial' {
    if (this.#openUntilMs === undefined) return 'closed';
    return this.#trying || this.#clock.monotonicMs() < this.#openUntilMs ? 'open' : 'trial';
  }

  /** How long it stays open, ms; 0 when it is not. */
  get openForMs(): number {
    return this.#openUntilMs === undefined ? 0 : Math.max(0, this.#openUntilMs - this.#clock.monotonicMs());
  }

  /** A request is sent; in state `trial` it is the only one until its outcome is known. */
  onSend(): void {
    if (this.#openUntilMs !== undefined) this.#trying = true;
  }

  /** The server is alive, whatever it said. */
  onAlive(): void {
    this.#failures = 0;
    this.#openings = 0;
    this.#openUntilMs = undefined;
    this.#trying = false;
  }

  /** A request ended without telling anything: the caller gave up. */
  onAbandoned(): void {
    this.#trying = false;
  }

  /** A request failed. @returns whether this opened the circuit, or kept it open after a trial. */
  onFailure(): boolean {
    this.#failures++;
    if (!this.#trying && (this.#openUntilMs !== undefined || this.#failures < FAILURES_TO_OPEN)) return false;
    this.#trying = false;
    this.#openings++;
    const delay = { minDelayMs: MIN_OPEN_MS, maxDelayMs: MAX_OPEN_MS, random: this.#random };
    this.#openUntilMs = this.#clock.monotonicMs() + retryDelayMs(this.#openings, delay);
    return true;
  }
}
