import { Overloaded } from '../../../runtime/errors.ts';

/** How many may work at once, and how many may wait for that. */
export interface PlacesOptions {
  readonly max: number;
  readonly maxWaiting: number;
  /** Told how many wait, whenever that changes. */
  readonly onWaiting?: (waiting: number) => void;
}

/** A limit of concurrency with a bounded queue, first come, first served. */
export class Places {
  readonly #options: PlacesOptions;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /** Places in use. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Waits for a place.
   * @returns what gives it back; more than one call does nothing.
   * @throws Overloaded at once when too many wait, the signal's reason.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const { max, maxWaiting } = this.#options;
    if (this.#taken >= max) {
      if (this.#waiting.length >= maxWaiting) throw new Overloaded('Too many questions wait for the generator.');
      await this.#wait(signal);
    } else this.#taken++;
    let held = true;
    return () => {
      if (held) this.#giveBack();
      held = false;
    };
  }

  /** A place is handed on without ever being free, so that nobody overtakes who waits. */
  #giveBack(): void {
    const next = this.#waiting.shift();
    if (!next) {
      this.#taken--;
      return;
    }
    this.#tell();
    next();
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(onPlace), 1);
        this.#tell();
        reject(signal.reason as Error);
      };
      const onPlace = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(onPlace);
      this.#tell();
    });
  }

  #tell(): void {
    this.#options.onWaiting?.(this.#waiting.length);
  }
}
