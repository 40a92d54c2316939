import type { PostgresSourceConfig } from '../../runtime/config/config.ts';
import { SourceUnavailable } from '../../runtime/errors.ts';
import { normalizeAfter, parseLsn, type Lsn } from '../../schemas/lsn.ts';
import { PgSession } from './pg-connection.ts';

/**
 * A position that covers everything committed in the source before the call.
 * @throws SourceUnavailable or SourceMisconfigured
 */
export async function captureCurrentPosition(config: PostgresSourceConfig, signal: AbortSignal): Promise<Lsn> {
  await using sql = await PgSession.open(config.connection, { source: config.name }, signal);
  const [row] = await sql.query('SELECT pg_current_wal_insert_lsn() AS lsn', [], signal);
  const lsn = parseLsn(row?.['lsn'] ?? '');
  if (lsn === undefined) throw new SourceUnavailable(`Source ${config.name} does not tell its position.`);
  return normalizeAfter(lsn);
}
