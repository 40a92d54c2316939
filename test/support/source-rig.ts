import { postgresConnector } from '../../connectors/postgres/postgres-connector.ts';
import type { Connector } from '../../connectors/connector.ts';
import type { PostgresSourceConfig, TableConfig } from '../../runtime/config/config.ts';
import { systemClock } from '../../runtime/clock.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import { createMetrics, type Metrics } from '../../runtime/metrics.ts';
import type { Row } from '../../schemas/envelope.ts';
import { normalizeAfter, parseLsn } from '../../schemas/lsn.ts';
import { CONNECTOR_STATE_TOPIC } from '../../schemas/topics.ts';
import type { SourceState } from '../../connectors/postgres/source-state.ts';
import { MemoryLog } from './memory-log.ts';
import type { TestDatabase } from './postgres.ts';
import { replay } from './replay.ts';

export interface RunningConnector {
  readonly connector: Connector;
  /** Settles when the connector has ended; rejects with its error. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface SourceRig {
  readonly log: MemoryLog;
  readonly metrics: Metrics;
  config: PostgresSourceConfig;
  /** Of every source topic, from the next start on. */
  partitions: number;
  start(logger?: Logger): RunningConnector;
  /** Resolves once the log holds everything that is committed now. */
  caughtUp(running?: RunningConnector): Promise<void>;
  /** The log's content by the version rule. */
  content(): Row[];
  /** The connector's state as the log has it. */
  state(): SourceState | undefined;
}

/** A source on a test database with its log: what the connector's tests start, kill and look at. */
export function sourceRig(
  database: Pick<TestDatabase, 'url' | 'sql'>,
  tables: readonly TableConfig[],
  options: { readonly partitions?: number } & Partial<PostgresSourceConfig> = {},
): SourceRig {
  const { partitions = 2, ...rest } = options;
  const log = new MemoryLog();
  const metrics = createMetrics();
  // Slots are names of the whole server, so that every rig needs its own.
  const slot = `slot_${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const rig: SourceRig = {
    log,
    metrics,
    partitions,
    config: { name: 'helpdesk', kind: 'postgres', connection: database.url, tables: [...tables], slot, ...rest },
    start(logger = silentLogger) {
      const abort = new AbortController();
      const connector = postgresConnector({
        config: rig.config,
        log,
        partitions: rig.partitions,
        clock: systemClock,
        random: () => 0.5,
        logger,
        metrics,
      });
      const ended = connector.run(abort.signal);
      ended.catch(() => undefined);
      return {
        connector,
        ended,
        stop: async () => {
          abort.abort();
          await ended.catch(() => undefined);
        },
      };
    },
    async caughtUp(running) {
      const [row] = await database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
      const target = normalizeAfter(parseLsn(row?.lsn ?? '') ?? (0n as never));
      const reached = log.until(() => {
        const state = rig.state();
        return state !== undefined && state.snapshot === null && (parseLsn(state.position) ?? 0n) >= target;
      });
      await (running ? Promise.race([reached, running.ended]) : reached);
    },
    content: () => [...replay(log.records).values()],
    state() {
      const record = log.records.findLast(({ topic, key }) => topic === CONNECTOR_STATE_TOPIC && !key.startsWith('~'));
      return record?.value ? (JSON.parse(Buffer.from(record.value).toString()) as SourceState) : undefined;
    },
  };
  return rig;
}
