import { memoryCache } from '../../ports/cache/memory-cache.ts';
import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import { rememberQueries } from '../../ports/embedder/remember-queries.ts';
import { retrieve } from '../../query-api/answer/retrieve.ts';
import type { Clock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { PRINCIPAL } from '../retrieval/fill-store.ts';

const CACHE_BYTES = 16_777_216;
/** A busy machine must not cost the dense leg, ms. */
const PATIENCE_MS = 60_000;

/** What a query costs before generation, with and without its vector: medians, as one line. */
export async function costs(
  queries: readonly string[],
  deps: {
    readonly store: DocumentStore;
    readonly embedder: Embedder;
    readonly clock: Clock;
    readonly metrics: Metrics;
  },
  signal: AbortSignal,
): Promise<string> {
  await using cache = memoryCache({ maxBytes: CACHE_BYTES, clock: deps.clock });
  const embedder = rememberQueries(deps.embedder, cache, deps.metrics);
  const all = { ...deps, embedder, sources: [], logger: silentLogger, embedDeadlineMs: PATIENCE_MS };
  const times = { embed: [] as number[], remembered: [] as number[], search: [] as number[], total: [] as number[] };
  for (const round of ['embed', 'remembered'] as const)
    for (const query of queries) {
      const { timingsMs } = await retrieve({ query }, PRINCIPAL, all, { gone: signal, left: signal });
      times[round].push(timingsMs['embed'] ?? 0);
      times.search.push(timingsMs['search'] ?? 0);
      if (round === 'remembered') times.total.push(timingsMs['total'] ?? 0);
    }
  const shown = Object.entries(times).map(([name, values]) => `${name} ${median(values).toFixed(2)}`);
  return `median ms of ${queries.length} queries: ${shown.join(', ')} (total with the vector remembered)`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
