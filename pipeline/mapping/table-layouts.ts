import { Compile } from 'typebox/compile';
import type { Log } from '../../ports/log/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { layoutKey, SourceLayout, type TableLayout } from '../../schemas/table-layout.ts';
import { CONNECTOR_STATE_TOPIC } from '../../schemas/topics.ts';

const sourceLayout = Compile(SourceLayout);

/** A column whose type was changed is read by its old type for at most this long after the connector has written the new one, ms. */
const REFRESH_MS = 1_000;

/**
 * Layouts of tables as connectors have written them down, for changes that come without a schema. Kept for a second: a layout changes
 * with DDL only, and asking for it costs one read.
 */
export class TableLayouts {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #bySource = new Map<string, { readonly tables: readonly TableLayout[]; readonly readAtMs: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Reads the layouts of the sources that are not known, or were read too long ago. @throws LogUnavailable */
  async refresh(sources: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonicMs();
    const stale = [...sources].filter(
      (source) => now - (this.#bySource.get(source)?.readAtMs ?? Number.NEGATIVE_INFINITY) > REFRESH_MS,
    );
    if (stale.length === 0) return;
    const records = await this.#log.latest(CONNECTOR_STATE_TOPIC, stale.map(layoutKey), signal);
    stale.forEach((source, index) => {
      const value: unknown = records[index]?.value
        ? JSON.parse(Buffer.from(records[index].value).toString('utf8'))
        : undefined;
      const tables = sourceLayout.Check(value) ? (value.tables as readonly TableLayout[]) : [];
      this.#bySource.set(source, { tables, readAtMs: now });
    });
  }

  /** By `schema.table`, as the config names it. */
  get(source: string, table: string | undefined): TableLayout | undefined {
    return this.#bySource.get(source)?.tables.find((one) => one.table === table);
  }
}
