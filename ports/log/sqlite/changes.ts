import type { Clock } from '../../../runtime/clock.ts';
import type { Sqlite } from '../../sqlite.ts';

/** How often a waiting reader looks for what other processes have appended, ms. Appends of this process wake it at once. */
const POLL_MS = 25;
/** Why a wait was cut short; an error would cost its stack, a hundred times a second. */
const WOKEN = Symbol('woken');

/**
 * Tells waiting readers that something has changed: records, topics or members. Every change raises `count`; a reader that
 * remembers the count from before it looked cannot miss one in between.
 */
export class Changes {
  readonly #db: Sqlite;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #count = 0;
  #memberships = 0;
  #dataVersion: bigint;
  #polling = false;
  #closed = false;

  constructor(db: Sqlite, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#dataVersion = db.dataVersion();
  }

  /** How many changes there were, also those of other processes. */
  count(): number {
    if (!this.#db.isMemory) {
      const version = this.#db.dataVersion();
      if (version !== this.#dataVersion) {
        this.#dataVersion = version;
        this.#memberships++;
        this.raise();
      }
    }
    return this.#count;
  }

  /** How many changes there were that may concern members or topics: all of other processes are among them. */
  memberships(): number {
    this.count();
    return this.#memberships;
  }

  raiseMemberships(): void {
    this.#memberships++;
    this.raise();
  }

  raise(): void {
    this.#count++;
    for (const wake of this.#waiting) wake();
  }

  close(): void {
    this.#closed = true;
    this.raise();
  }

  /** Resolves when the count is no longer `seen`, when `withinMs` has passed, or when the signal aborts; never throws. */
  async changedSince(seen: number, signal: AbortSignal, withinMs?: number): Promise<void> {
    if (this.#closed || signal.aborted || this.count() !== seen) return;
    const timer = new AbortController();
    if (!this.#db.isMemory) void this.#poll();
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        if (withinMs !== undefined) timer.abort(WOKEN);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (withinMs !== undefined) void this.#clock.sleep(withinMs, timer.signal).then(wake, wake);
    });
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    await this.#clock.sleep(POLL_MS);
    while (this.#waiting.size > 0 && !this.#closed) {
      try {
        this.count();
      } catch {
        this.raise(); // the readers meet the same error when they look, and report it
      }
      await this.#clock.sleep(POLL_MS);
    }
    this.#polling = false;
  }
}
