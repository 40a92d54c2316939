import { StoreUnavailable } from '../../../runtime/errors.ts';
import { Coalesced } from './coalesced.ts';
import type { Connection } from './connection.ts';

/** How often an index is refreshed. */
export interface RefreshOptions {
  readonly index: string;
  /** Under load, at most one refresh in this time, ms. */
  readonly intervalMs: number;
}

/** Bytes written since the last refresh from which on writing is a backfill. Fewer make a segment that costs some milliseconds. */
const BACKFILL_BYTES = 8_388_608;
/** Share of the time that refreshes may take when less is written: one that takes 20 ms comes every 200 ms. */
const SHARE = 0.1;

/**
 * How long the next refresh waits, ms. Each refresh makes a segment of every shard, and segments are merged later: in a backfill few large
 * ones are wanted. After a pause a refresh begins at once; while changes come, refreshes take a fixed share of the time.
 */
export function refreshDelayMs(
  last: { readonly sinceStartMs: number; readonly tookMs: number; readonly bytesSince: number },
  intervalMs: number,
): number {
  const load = Math.min(1, last.bytesSince / BACKFILL_BYTES);
  const spacingMs = Math.min(intervalMs, Math.max(load * intervalMs, last.tookMs / SHARE));
  return Math.max(0, spacingMs - last.sinceStartMs);
}

/** Makes what was written searchable, on every copy of every shard, for many callers at once. */
export class Refresher {
  readonly #connection: Connection;
  readonly #options: RefreshOptions;
  readonly #refresh: Coalesced<void>;
  readonly #closing: AbortSignal;
  #startedMs = Number.NEGATIVE_INFINITY;
  #tookMs = 0;
  #bytes = 0;

  constructor(connection: Connection, options: RefreshOptions, closing: AbortSignal) {
    this.#connection = connection;
    this.#options = options;
    this.#closing = closing;
    this.#refresh = new Coalesced(() => this.#work());
  }

  /** Tells of bytes that were written. */
  written(bytes: number): void {
    this.#bytes += bytes;
  }

  /**
   * Resolves when a refresh has ended that began after this call: everything whose write had resolved by now is found by every search from
   * now on. @throws StoreUnavailable, the signal's reason.
   */
  async run(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const refreshed = this.#refresh.run();
    if (!signal) return refreshed;
    await unlessAborted(refreshed, signal);
  }

  async #work(): Promise<void> {
    const { clock } = this.#connection;
    const { index, intervalMs } = this.#options;
    const last = { sinceStartMs: clock.monotonicMs() - this.#startedMs, tookMs: this.#tookMs, bytesSince: this.#bytes };
    const delayMs = refreshDelayMs(last, intervalMs);
    if (delayMs > 0) await clock.sleep(delayMs, this.#closing);
    this.#startedMs = clock.monotonicMs();
    this.#bytes = 0;
    await this.#connection.repeatable<{ readonly _shards: { readonly failed: number } }>(
      'refresh the index',
      { method: 'POST', path: `/${index}/_refresh` },
      this.#closing,
      // A copy that did not refresh would go on to answer with older documents than a position claims.
      ({ _shards: { failed } }) => {
        if (failed > 0) throw new StoreUnavailable('Not every copy of the index could be refreshed.');
      },
    );
    this.#tookMs = clock.monotonicMs() - this.#startedMs;
  }
}

/** Waits for work that many wait for; only the wait ends when the signal aborts. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort) signal.removeEventListener('abort', abort);
  }
}
