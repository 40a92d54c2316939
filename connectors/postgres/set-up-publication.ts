import type { PostgresSourceConfig } from '../../runtime/config/config.ts';
import { readTables } from './catalog.ts';
import { PgSession } from './pg-connection.ts';
import { ensurePublication } from './publication.ts';
import { publicationName } from './source-context.ts';

/**
 * Makes the publication of a source what the config says, before the first start. Repeating it changes nothing. The slot comes with the
 * first start, because the snapshot has to begin exactly where the slot does.
 * @returns what there is now, in words
 * @throws SourceUnavailable or SourceMisconfigured; the message says how to mend it
 */
export async function setUpPublication(config: PostgresSourceConfig, signal: AbortSignal): Promise<string> {
  await using sql = await PgSession.open(config.connection, { source: config.name }, signal);
  const tables = await readTables(sql, config, [], signal);
  await ensurePublication(sql, publicationName(config), tables, signal);
  return `publication ${publicationName(config)} with ${tables.length} tables`;
}
