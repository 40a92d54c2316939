import type { Clock, Random } from '../../runtime/clock.ts';
import { below } from './random.ts';

/**
 * Decides who goes on: every await at a port is a turn that the seed hands out, and time only passes when nobody is ready. The
 * same seed gives the same order.
 */
export class Scheduler {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #ready: { readonly label: string; readonly go: () => void }[] = [];
  readonly #timers: { readonly at: number; readonly wake: () => void }[] = [];
  #nowMs = 1_700_000_000_000;
  #traceHash = 0x811c9dc5;
  #steps = 0;

  constructor(random: Random) {
    this.#random = random;
    this.clock = {
      now: () => this.#nowMs,
      monotonicMs: () => this.#nowMs,
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  get steps(): number {
    return this.#steps;
  }

  /** Hash over the labels of all turns in their order: two runs with the same trace did the same things. */
  get trace(): string {
    return this.#traceHash.toString(16).padStart(8, '0');
  }

  /** Resolves when the seed gives this turn. */
  turn(label: string): Promise<void> {
    return new Promise((resolve) => this.#ready.push({ label, go: resolve }));
  }

  /** Hands out turns until `done`. @throws Error when nobody can go on or the run takes more than `maxSteps`. */
  async run(
    done: (isIdle: boolean) => boolean | Promise<boolean>,
    onStep: () => Promise<void>,
    maxSteps: number,
  ): Promise<void> {
    for (;;) {
      await settled();
      await onStep();
      const isIdle = this.#ready.length === 0;
      if (await done(isIdle)) return;
      if (++this.#steps > maxSteps) throw new Error(`still busy after ${maxSteps} steps`);
      if (this.#ready.length > 0) this.#giveTurn();
      else if (!this.#advance()) throw new Error('stuck: nobody is ready and no timer is set');
    }
  }

  #giveTurn(): void {
    const [next] = this.#ready.splice(below(this.#random, this.#ready.length), 1);
    if (!next) return;
    for (const char of next.label) this.#traceHash = Math.imul(this.#traceHash ^ char.charCodeAt(0), 0x01000193) >>> 0;
    next.go();
  }

  #advance(): boolean {
    this.#timers.sort((a, b) => a.at - b.at);
    const next = this.#timers.shift();
    if (!next) return false;
    this.#nowMs = Math.max(this.#nowMs, next.at);
    next.wake();
    return true;
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const abort = (): void => {
        const index = this.#timers.indexOf(timer);
        if (index >= 0) this.#timers.splice(index, 1);
        reject(signal?.reason as Error);
      };
      const timer = {
        at: this.#nowMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#timers.push(timer);
      signal?.addEventListener('abort', abort);
    });
  }
}

/**
 * Lets everything run that needs no turn. In memory the adapters never wait for the event loop, so all of it are promises, which come
 * before the next tick. Rounds of the event loop in its place took a tenth of the time.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
