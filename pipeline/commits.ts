import type { CommitOffset } from '../ports/log/log.ts';
import { retry } from '../runtime/retry.ts';
import type { BisectOptions } from './bisect.ts';
import type { Claim } from './stage.ts';

export interface CommitsOptions extends BisectOptions {
  readonly commit: (offsets: readonly CommitOffset[], signal: AbortSignal) => Promise<void>;
}

/** Batches whose claims may be open at once. Each of them is read again after a crash. */
const MAX_OPEN_BATCHES = 8;

/**
 * Commits the offsets of batches in their order, each after the claims of its batch (I12), while the batches that follow are worked on:
 * a position waits until it can be searched, and documents must not wait for it.
 */
export class Commits {
  /** Aborts with the error when a claim or a commit has failed for good. */
  readonly failed: AbortSignal;
  readonly #options: CommitsOptions;
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  /** Batches that are not committed, oldest first. */
  readonly #open: Promise<void>[] = [];

  constructor(options: CommitsOptions, signal: AbortSignal) {
    this.#options = options;
    this.failed = this.#failure.signal;
    this.#signal = AbortSignal.any([signal, this.failed]);
  }

  /**
   * Commits at once where nothing is open; otherwise resolves before the commit, unless too many batches are open. @throws what a claim or
   * a commit has thrown.
   */
  async after(claims: readonly Claim[], offsets: readonly CommitOffset[]): Promise<void> {
    const former = this.#open.at(-1);
    if (claims.length === 0 && !former) return this.#options.commit(offsets, this.#signal);
    const claimed = this.#durable(claims);
    const committed = Promise.all([former, claimed]).then(() => this.#options.commit(offsets, this.#signal));
    this.#open.push(committed);
    committed.then(
      () => void this.#open.splice(this.#open.indexOf(committed), 1),
      (error: unknown) => this.#failure.abort(error),
    );
    if (this.#open.length >= MAX_OPEN_BATCHES) await this.#open[0];
  }

  /** Gives up what is open: it is read again. */
  async abandon(): Promise<void> {
    this.#failure.abort(new Error('the reader has ended'));
    await Promise.allSettled(this.#open);
  }

  async #durable(claims: readonly Claim[]): Promise<void> {
    const { name } = this.#options;
    const options = { ...this.#options, operation: `claim positions of the ${name} worker`, attempts: Infinity };
    for (const claim of claims)
      await retry(() => claim(this.#signal), { ...options, minDelayMs: 50, maxDelayMs: 10_000 }, this.#signal);
  }
}
