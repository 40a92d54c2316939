import type { Connector, ConnectorHealth } from '../../connectors/connector.ts';
import type { Cache } from '../../ports/cache/cache.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { SourceTopics } from './sources.ts';

/** How often a process tells the others how its sources are, ms. */
const PUBLISH_EVERY_MS = 2_000;
/** A report older than this is not shown: its process may be gone, ms. */
const REPORT_TTL_MS = 10_000;

const keyOf = (source: string): string => `condition/${source}`;

/**
 * What connectors of other processes say of their sources. It goes through the cache, because it may be lost: then the state of a source
 * is not shown, and nothing else changes.
 */
export class SharedConditions {
  readonly #cache: Cache;
  readonly #clock: Clock;

  constructor(cache: Cache, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  /** Tells how the connectors of this process are until the signal aborts. */
  async publish(connectors: readonly Connector[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const entries = connectors.map((connector) => ({
        key: keyOf(connector.source),
        value: Buffer.from(JSON.stringify(connector.health())),
        ttlMs: REPORT_TTL_MS,
      }));
      await this.#cache.set(entries, signal);
      await this.#clock.sleep(PUBLISH_EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** By source, the latest report of another process. */
  async read(sources: readonly SourceTopics[], signal?: AbortSignal): Promise<ReadonlyMap<string, ConnectorHealth>> {
    const values = await this.#cache.get(
      sources.map(({ source }) => keyOf(source)),
      signal,
    );
    return new Map(
      sources.flatMap(({ source }, index) => {
        const value = values[index];
        // Only processes of this deployment write these keys.
        return value ? [[source, JSON.parse(Buffer.from(value).toString('utf8')) as ConnectorHealth] as const] : [];
      }),
    );
  }
}
