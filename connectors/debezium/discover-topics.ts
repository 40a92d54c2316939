import type { TopicSpec } from '../../ports/log/log.ts';
import { InvalidConfig, SourceUnavailable } from '../../runtime/errors.ts';
import { normalizeAfter, parseLsn, type Lsn } from '../../schemas/lsn.ts';
import { CONNECTOR_STATE_TOPIC, tableTopic } from '../../schemas/topics.ts';
import { tableName, type DebeziumSourceConfig } from './debezium-source.ts';
import { PgSession } from './pg-session.ts';

/** The topics that a source writes: one per table, and the one with the state of all connectors. */
export function discoverTopics(
  config: Pick<DebeziumSourceConfig, 'name' | 'tables'>,
  partitions: number,
  retentionMs?: number,
): TopicSpec[] {
  const tables = config.tables.map((table): TopicSpec => {
    const { schema, table: name } = tableName(table);
    return {
      name: tableTopic(config.name, schema, name),
      partitions,
      cleanup: 'delete',
      ...(retentionMs !== undefined && { retentionMs }),
    };
  });
  return [...tables, { name: CONNECTOR_STATE_TOPIC, partitions: 1, cleanup: 'compact' }];
}

/**
 * A position that covers everything committed in a PostgreSQL source before the call.
 * @throws InvalidConfig for another database, which is not asked; SourceUnavailable or SourceMisconfigured
 */
export async function captureCurrentPosition(config: DebeziumSourceConfig, signal: AbortSignal): Promise<Lsn> {
  if (config.database !== 'postgres')
    throw new InvalidConfig(`Source ${config.name}: only PostgreSQL is asked for its position.`);
  await using sql = await PgSession.open(config.connection, config.name, signal);
  const [row] = await sql.query('SELECT pg_current_wal_insert_lsn() AS lsn', [], signal);
  const lsn = parseLsn(row?.['lsn'] ?? '');
  if (lsn === undefined) throw new SourceUnavailable(`Source ${config.name} does not tell its position.`);
  return normalizeAfter(lsn);
}
