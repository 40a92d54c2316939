/** Limits of the size of a bulk request. */
export interface BulkWindowOptions {
  /** Largest request, bytes. */
  readonly maxBytes: number;
  /** A request that takes longer than this is too large, ms. */
  readonly targetMs: number;
}

/** Smallest window, bytes. A document that is larger goes alone. */
export const MIN_WINDOW_BYTES = 262_144;
const GROWTH_BYTES = 1_048_576;
const SHRINK = 0.5;
/** A reply that was slow, not refused, says less about what the cluster can take. */
const SLOW_SHRINK = 0.75;

/** How many bytes the next bulk request holds: more after each quick one, half as many after a refusal (AIMD, as TCP's window). */
export class BulkWindow {
  readonly #options: BulkWindowOptions;
  #bytes: number;

  constructor(options: BulkWindowOptions) {
    this.#options = options;
    this.#bytes = Math.max(MIN_WINDOW_BYTES, Math.min(options.maxBytes, 4 * GROWTH_BYTES));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A request of `bytes` was taken after `tookMs`. */
  taken(bytes: number, tookMs: number): void {
    if (tookMs > this.#options.targetMs) this.#shrink(SLOW_SHRINK);
    // A request that did not fill the window says nothing about a larger one.
    else if (bytes >= this.#bytes / 2) this.#bytes = Math.min(this.#options.maxBytes, this.#bytes + GROWTH_BYTES);
  }

  /** A request, or items of it, were refused for now (429, 413) or not answered. */
  refused(): void {
    this.#shrink(SHRINK);
  }

  #shrink(factor: number): void {
    this.#bytes = Math.max(MIN_WINDOW_BYTES, Math.floor(this.#bytes * factor));
  }
}
