import type { Clock } from '../../runtime/clock.ts';
import { mappedColumns } from '../captured-tables.ts';
import type { ConnectorHealth } from '../connector.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';
import type { ResyncReason } from '../resync-required.ts';
import type { Beginning, SourceDatabase } from './source-database.ts';
import type { DebeziumSourceState, KnownTable } from './source-state.ts';

/**
 * A database that is not asked itself (MySQL, MariaDB, MongoDB): what is known of it comes through Kafka Connect, which stops a task
 * whose place in the database's log is gone.
 */
export class UnaskedDatabase implements SourceDatabase {
  readonly leavesColumnsOut = false;
  readonly unreadMs = 0;
  readonly #config: DebeziumSourceConfig;
  readonly #clock: Clock;

  constructor(config: DebeziumSourceConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  async inspect(
    state: DebeziumSourceState | undefined,
  ): Promise<{ readonly resync: ResyncReason | undefined; readonly tables: undefined }> {
    return { resync: state && this.#tablesReason(state), tables: undefined };
  }

  #tablesReason(state: DebeziumSourceState): ResyncReason | undefined {
    for (const table of this.#known()) {
      const before = state.tables.find(({ name }) => name === table.name);
      if (!before) return 'tables-added';
      if (table.columns.some((column) => !before.columns.includes(column))) return 'columns-added';
      if (table.key.join() !== before.key.join()) return 'key-changed';
    }
    return undefined;
  }

  #known(): readonly KnownTable[] {
    return this.#config.tables.map((table) => ({
      name: table.table,
      columns: [...mappedColumns(table)],
      key: table.key ?? [],
      oid: 0,
      entry: 0,
    }));
  }

  async begin(): Promise<Beginning> {
    return {
      facts: { systemId: '', timeline: 0, slot: '', publicationOid: 0, tables: this.#known() },
      position: '0',
      committedAt: this.#clock.now(),
    };
  }

  async look(): Promise<Pick<ConnectorHealth, 'slot' | 'retainedBytes'>> {
    return {};
  }

  async freeStream(): Promise<void> {
    // a server of binlogs serves any number of readers
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing is open
  }
}
