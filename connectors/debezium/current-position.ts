import { InvalidConfig, SourceUnavailable } from '../../runtime/errors.ts';
import { normalizeAfter, parseLsn, type Lsn } from '../../schemas/lsn.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';
import { PgSession } from './pg-session.ts';

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
