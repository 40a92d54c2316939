import type { AdvancePosition, DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Metrics } from '../../runtime/metrics.ts';

/** A change as far as its freshness goes. */
export interface FreshChange {
  readonly source: string;
  /** ms since the epoch */
  readonly committedAt: number;
}

/** Where the sinks of one process say how old changes were when they could be found. */
export interface FreshnessOptions {
  readonly store: Pick<DocumentStore, 'searchable'>;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'freshness'>;
}

/** Asks for changes to be found soon, and notes their age when they are. Nothing waits for it. */
export function observeFreshness(
  changes: readonly FreshChange[],
  level: AdvancePosition['level'],
  { store, clock, metrics }: FreshnessOptions,
  signal: AbortSignal,
): void {
  if (changes.length === 0) return;
  store.searchable(signal).then(
    () => {
      const now = clock.now();
      for (const { source, committedAt } of changes)
        metrics.freshness.observe({ source, level }, Math.max(0, now - committedAt) / 1000);
    },
    () => undefined, // whoever claims a position meets the same failure, and waits
  );
}
