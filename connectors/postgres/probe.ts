import type { PostgresSourceConfig } from '../../runtime/config/config.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import { readTables } from './catalog.ts';
import { PgSession } from './pg-connection.ts';
import { ensurePublication } from './publication.ts';
import { identify, isLost, readSlot } from './slot.ts';
import { publicationName, slotName } from './source-context.ts';

/**
 * Whether a source can be read: it answers, the role may replicate and select, every table can be captured, there is a slot or room
 * for one. Changes nothing. Gives what was found in words, without secrets.
 * @throws SourceUnavailable or SourceMisconfigured; the message says how to mend it
 */
export async function probe(config: PostgresSourceConfig, signal: AbortSignal): Promise<string> {
  await using sql = await PgSession.open(config.connection, { source: config.name }, signal);
  await using replication = await PgSession.open(config.connection, { source: config.name, replication: true }, signal);
  const { database } = await identify(replication, signal);
  const [server] = await sql.query(
    `SELECT current_setting('wal_level') AS wal_level, current_setting('server_version') AS version,
       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots) AS free_slots`,
    [],
    signal,
  );
  if (server?.['wal_level'] !== 'logical')
    throw new SourceMisconfigured(
      `wal_level is ${server?.['wal_level']}. Run ALTER SYSTEM SET wal_level = 'logical'; and restart the server.`,
    );
  const tables = await readTables(sql, config, [], signal);
  for (const table of tables) await sql.query(`SELECT 1 FROM ${table.sqlName} LIMIT 0`, [], signal);
  const slot = await readSlot(sql, slotName(config), signal);
  if (!slot && Number(server['free_slots']) <= 0)
    throw new SourceMisconfigured(
      'Every replication slot is taken. Drop one that nobody uses, or raise max_replication_slots and restart the server.',
    );
  const place = !slot
    ? 'no slot yet (the first start makes it)'
    : isLost(slot)
      ? `slot ${slot.name} is lost (the next start reads the tables again)`
      : `slot ${slot.name} is ${slot.activePid === null ? 'idle' : 'in use'}`;
  return `PostgreSQL ${server['version']}, database ${database}, ${tables.length} tables, ${place}`;
}

/**
 * Makes the publication of a source what the config says. Repeating it changes nothing. The slot comes with the first start, because the
 * snapshot has to begin exactly where the slot does.
 * @throws SourceUnavailable or SourceMisconfigured
 */
export async function setUpPublication(config: PostgresSourceConfig, signal: AbortSignal): Promise<string> {
  await using sql = await PgSession.open(config.connection, { source: config.name }, signal);
  const tables = await readTables(sql, config, [], signal);
  await ensurePublication(sql, publicationName(config), tables, signal);
  return `publication ${publicationName(config)} with ${tables.length} tables`;
}
