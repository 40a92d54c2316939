/** A place that one caller holds. */
export interface Slot {
  /** More than one call does nothing. */
  release(): void;
}

interface Waiting {
  readonly enter: () => void;
}

/** A bounded number of callers at a time, the others in order of arrival, and those beyond a bound not at all. */
export class Slots {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #onWaiting: ((waiting: number) => void) | undefined;
  readonly #waiting = new Set<Waiting>();
  #taken = 0;

  /** @param onWaiting is told how many wait, whenever that changes. */
  constructor(most: number, mostWaiting: number, onWaiting?: (waiting: number) => void) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
    this.#onWaiting = onWaiting;
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
    let held = true;
    return {
      release: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#dequeue(waiting);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        enter: () => {
          this.#dequeue(waiting);
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      this.#onWaiting?.(this.#waiting.size);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #dequeue(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    this.#onWaiting?.(this.#waiting.size);
  }

  /** The place goes to the next who waits, without being free in between: nobody who comes now overtakes. */
  #release(): void {
    const [next] = this.#waiting;
    if (next) next.enter();
    else this.#taken--;
  }
}
