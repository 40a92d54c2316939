/** A place that one caller holds. */
export interface Slot {
  /** Once. */
  release(): void;
}

interface Waiting {
  readonly enter: () => void;
}

/** A bounded number of callers at a time, the others in order of arrival, and those beyond a bound not at all. */
export class Slots {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<Waiting>();
  #taken = 0;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when a place is free; undefined at once when too many wait. Whoever aborts leaves the queue.
   * @throws the signal's reason.
   */
  async take(signal: AbortSignal): Promise<Slot | undefined> {
    signal.throwIfAborted();
    if (this.#taken < this.#most) this.#taken++;
    else if (this.#waiting.size >= this.#mostWaiting) return undefined;
    else await this.#wait(signal);
    return { release: () => this.#release() };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        enter: () => {
          this.#waiting.delete(waiting);
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** The place goes to the next who waits, without being free in between: nobody who comes now overtakes. */
  #release(): void {
    const [next] = this.#waiting;
    if (next) next.enter();
    else this.#taken--;
  }
}
