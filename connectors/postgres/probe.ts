import type { PostgresSourceConfig } from '../../runtime/config/config.ts';
import { FreshetError } from '../../runtime/errors.ts';
import { readTables, type CapturedTable } from './catalog.ts';
import { PgSession, quoteIdent } from './pg-connection.ts';
import { ensurePublication, publicationChanges, readPublication } from './publication.ts';
import { isLost } from '../slot-status.ts';
import { publicationName, slotName } from '../captured-tables.ts';
import { readSlot } from './slot.ts';

/** One thing that was looked at. `fix` says what to do when it is not `ok`; `warning` ones do not keep the source from working. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'error';
  readonly message: string;
  readonly fix?: string;
}

/** A quarter of what a usual server disk of 64 GiB holds; somebody should know by then. */
const RETAINED_WARNING_BYTES = 16 * 1024 ** 3;

/**
 * Makes the publication what the config asks for, without starting the source. Idempotent.
 * @throws SourceMisconfigured with the SQL to run when the role may not do it
 */
export async function setUpPublication(config: PostgresSourceConfig, signal: AbortSignal): Promise<string> {
  await using sql = await PgSession.open(config.connection, { source: config.name }, signal);
  const captured = await readTables(sql, config, [], signal);
  await ensurePublication(sql, publicationName(config), captured, signal);
  return `publication ${publicationName(config)} of ${captured.length} tables`;
}

/** Looks at everything that a source needs, changes nothing, and never throws but for the signal. */
export async function probe(config: PostgresSourceConfig, signal: AbortSignal): Promise<Finding[]> {
  let sql: PgSession | undefined;
  let replication: PgSession | undefined;
  try {
    sql = await PgSession.open(config.connection, { source: config.name }, signal);
    const findings: Finding[] = [ok('connection', 'PostgreSQL answers.'), ...(await settings(sql, signal))];
    try {
      replication = await PgSession.open(config.connection, { source: config.name, replication: true }, signal);
      findings.push(ok('replication', 'The role may replicate.'));
    } catch (error) {
      findings.push(failed('replication', error, 'ALTER ROLE ... REPLICATION; and allow it in pg_hba.conf.'));
    }
    return [...findings, ...(await tables(config, sql, signal)), ...(await slot(config, sql, signal))];
  } catch (error) {
    signal.throwIfAborted();
    return [
      failed('connection', error, `Check \`connection\` of source ${config.name}: address, database, user, password.`),
    ];
  } finally {
    await replication?.[Symbol.asyncDispose]();
    await sql?.[Symbol.asyncDispose]();
  }
}

async function settings(sql: PgSession, signal: AbortSignal): Promise<Finding[]> {
  const [row] = await sql.query(
    `SELECT current_setting('wal_level') AS level, current_setting('max_replication_slots')::int AS slots,
       (SELECT count(*) FROM pg_replication_slots) AS used, current_setting('server_version_num')::int AS version,
       pg_is_in_recovery() AS standby, current_setting('max_slot_wal_keep_size', true) AS keep`,
    [],
    signal,
  );
  const findings: Finding[] = [];
  const level = row?.['level'];
  if (level === 'logical') findings.push(ok('wal_level', 'wal_level is logical.'));
  else
    findings.push(
      error('wal_level', `wal_level is ${level}.`, `ALTER SYSTEM SET wal_level = 'logical'; then restart the server.`),
    );
  if (Number(row?.['version']) < OLDEST_VERSION)
    findings.push(error('version', `The server's version is ${row?.['version']}.`, 'Use PostgreSQL 14 or newer.'));
  if (row?.['standby'] === 't') findings.push(error('primary', 'The server is a standby.', 'Connect to the primary.'));
  if (Number(row?.['used']) >= Number(row?.['slots']))
    findings.push(
      warning(
        'slots',
        'All replication slots are taken.',
        'Raise max_replication_slots and restart, unless our slot is among them.',
      ),
    );
  if (row?.['keep'] === '-1')
    findings.push(
      warning(
        'max_slot_wal_keep_size',
        'WAL that a slot holds back has no limit.',
        'ALTER SYSTEM SET max_slot_wal_keep_size to what the disk can spare; a slot beyond it is resynced by itself.',
      ),
    );
  return findings;
}

const OLDEST_VERSION = 140_000;

async function tables(config: PostgresSourceConfig, sql: PgSession, signal: AbortSignal): Promise<Finding[]> {
  let captured: CapturedTable[];
  try {
    captured = await readTables(sql, config, [], signal);
  } catch (cause) {
    return [failed('tables', cause, 'See the SQL in the message.')];
  }
  const findings = [ok('tables', `${captured.length} tables can be captured.`)];
  for (const table of captured) {
    const [right] = await sql.query(`SELECT has_table_privilege($1::oid, 'SELECT') AS may`, [table.oid], signal);
    if (right?.['may'] !== 't')
      findings.push(
        error(
          'select',
          `The role may not read ${table.schema}.${table.table}.`,
          `GRANT SELECT ON ${table.sqlName.replace(/^ONLY /, '')} TO CURRENT_USER;`,
        ),
      );
  }
  const name = publicationName(config);
  const changes = publicationChanges(name, captured, await readPublication(sql, name, signal));
  if (changes.length === 0) return [...findings, ok('publication', `Publication ${name} is as it should be.`)];
  const statements = `${changes.join('; ')};`;
  if (!(await maySetUp(sql, name, captured, signal)))
    return [
      ...findings,
      error(
        'publication',
        `The role may not set up publication ${quoteIdent(name)}.`,
        `Run as the tables' owner: ${statements}`,
      ),
    ];
  return [
    ...findings,
    warning('publication', `Publication ${quoteIdent(name)} will be set up at the start.`, statements),
  ];
}

/** Whether the role may make the publication, or change the one that is there: that is for owners. */
async function maySetUp(
  sql: PgSession,
  name: string,
  captured: readonly CapturedTable[],
  signal: AbortSignal,
): Promise<boolean> {
  const [row] = await sql.query(
    `SELECT (SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid = ANY ($1::oid[]))
       AND coalesce((SELECT pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = $2),
         has_database_privilege(current_database(), 'CREATE')) AS may`,
    [`{${captured.map(({ oid }) => oid).join(',')}}`, name],
    signal,
  );
  return row?.['may'] === 't';
}

async function slot(config: PostgresSourceConfig, sql: PgSession, signal: AbortSignal): Promise<Finding[]> {
  const found = await readSlot(sql, slotName(config), signal);
  if (!found) return [ok('slot', `Replication slot ${slotName(config)} will be made at the start.`)];
  if (found.plugin !== 'pgoutput')
    return [error('slot', `Replication slot ${found.name} uses ${found.plugin}.`, 'Give the source another `slot`.')];
  if (isLost(found))
    return [
      warning('slot', `Replication slot ${found.name} is lost.`, 'Nothing: the tables are read again at the start.'),
    ];
  if ((found.retainedBytes ?? 0) > RETAINED_WARNING_BYTES)
    return [
      warning(
        'slot',
        `The server keeps ${found.retainedBytes} bytes for slot ${found.name}.`,
        'Start the source, or drop the slot.',
      ),
    ];
  return [ok('slot', `Replication slot ${found.name} is ${found.activePid === null ? 'free' : 'in use'}.`)];
}

function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message };
}

function warning(check: string, message: string, fix: string): Finding {
  return { check, status: 'warning', message, fix };
}

function error(check: string, message: string, fix: string): Finding {
  return { check, status: 'error', message, fix };
}

/** The message of an error that is ours holds no secret; of another, only its class is shown. */
function failed(check: string, cause: unknown, fix: string): Finding {
  return error(check, cause instanceof FreshetError ? cause.message : 'It failed for an unknown reason.', fix);
}
