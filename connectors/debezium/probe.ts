import { systemClock } from '../../runtime/clock.ts';
import { FreshetError } from '../../runtime/errors.ts';
import { ConnectClient } from './connect-client.ts';
import { connectorProperties } from './connector-config.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';
import { PgSession, quoteIdent } from './pg-session.ts';
import { readTables } from './postgres-catalog.ts';
import { ensurePublication, publicationChanges, readPublication } from './publication.ts';
import { isLost } from '../slot-status.ts';
import { publicationName, slotName } from '../captured-tables.ts';
import { readServer } from './replication-slot.ts';

/** One thing that was looked at. `fix` says what to do when it is not `ok`; `warning` ones do not keep the source from working. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'error';
  readonly message: string;
  readonly fix?: string;
}

/** Where Kafka Connect is. */
export interface ConnectAddress {
  readonly connectUrl: string;
  /** Kafka as Kafka Connect reaches it; needed for MySQL and MariaDB. */
  readonly brokers?: string;
}

/** A quarter of what a usual server disk of 64 GiB holds; somebody should know by then. */
const RETAINED_WARNING_BYTES = 16 * 1024 ** 3;

/**
 * Makes a PostgreSQL source's publication what the config asks for, without starting the source; others need nothing. Idempotent.
 * @throws SourceMisconfigured with the SQL to run when the role may not do it
 */
export async function setUpSource(config: DebeziumSourceConfig, signal: AbortSignal): Promise<string> {
  if (config.database !== 'postgres') return 'nothing to set up';
  await using sql = await PgSession.open(config.connection, config.name, signal);
  const tables = await readTables(sql, config, signal);
  const name = publicationName(config);
  await ensurePublication(sql, name, tables, signal);
  return `publication ${name} of ${tables.length} tables`;
}

/** Looks at everything that a source needs, changes nothing, and never throws but for the signal. */
export async function probe(
  config: DebeziumSourceConfig,
  address: ConnectAddress,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings = await probeConnect(config, address, signal);
  if (config.database !== 'postgres') return findings;
  try {
    await using sql = await PgSession.open(config.connection, config.name, signal);
    return [...findings, ok('connection', 'PostgreSQL answers.'), ...(await probePostgres(config, sql, signal))];
  } catch (cause) {
    signal.throwIfAborted();
    return [...findings, failed('connection', cause, 'Check `connection`: address, database, user, password.')];
  }
}

async function probeConnect(
  config: DebeziumSourceConfig,
  { connectUrl, brokers }: ConnectAddress,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  try {
    const properties = connectorProperties({ config, role: 'stream', epoch: 0, keys: new Map(), brokers });
    const connect = new ConnectClient(connectUrl, [], systemClock);
    findings.push(ok('connect', `Kafka Connect ${await connect.version(signal)} answers.`));
    const name = properties['connector.class'] ?? '';
    const version = (await connect.plugins(signal)).get(name);
    findings.push(
      version === undefined
        ? {
            check: 'plugin',
            status: 'error',
            message: `Kafka Connect has no ${name}.`,
            fix: 'Install the Debezium plugin.',
          }
        : ok('plugin', `Debezium ${version} is installed.`),
    );
  } catch (cause) {
    signal.throwIfAborted();
    findings.push(failed('connect', cause, 'Check `connect.url` and the source; start Kafka Connect.'));
  }
  return findings;
}

async function probePostgres(
  config: DebeziumSourceConfig,
  sql: PgSession,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const [row] = await sql.query(`SELECT current_setting('wal_level') AS level`, [], signal);
  if (row?.['level'] === 'logical') findings.push(ok('wal_level', 'wal_level is logical.'));
  else
    findings.push({
      check: 'wal_level',
      status: 'error',
      message: `wal_level is ${row?.['level']}.`,
      fix: `ALTER SYSTEM SET wal_level = 'logical'; then restart the server.`,
    });
  try {
    const tables = await readTables(sql, config, signal);
    findings.push(ok('tables', `${tables.length} tables can be captured.`));
    const name = publicationName(config);
    const changes = publicationChanges(name, tables, await readPublication(sql, name, signal));
    findings.push(
      changes.length === 0
        ? ok('publication', `Publication ${name} is as it should be.`)
        : warning(
            'publication',
            `Publication ${quoteIdent(name)} will be set up at the start.`,
            `${changes.join('; ')};`,
          ),
    );
  } catch (cause) {
    signal.throwIfAborted();
    findings.push(failed('tables', cause, 'See the SQL in the message.'));
  }
  return [...findings, await probeSlot(config, sql, signal)];
}

async function probeSlot(config: DebeziumSourceConfig, sql: PgSession, signal: AbortSignal): Promise<Finding> {
  const name = slotName(config);
  const { slot } = await readServer(sql, name, signal);
  if (!slot) return ok('slot', `Replication slot ${name} will be made at the start.`);
  if (slot.plugin !== 'pgoutput')
    return { check: 'slot', status: 'error', message: `Slot ${name} uses ${slot.plugin}.`, fix: 'Set another `slot`.' };
  if (isLost(slot)) return warning('slot', `Slot ${name} is lost.`, 'Nothing: the tables are read again at the start.');
  if ((slot.retainedBytes ?? 0) > RETAINED_WARNING_BYTES)
    return warning(
      'slot',
      `The server keeps ${slot.retainedBytes} bytes for ${name}.`,
      'Start the source, or drop the slot.',
    );
  return ok('slot', `Replication slot ${name} is ${slot.activePid === null ? 'free' : 'in use'}.`);
}

function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message };
}

function warning(check: string, message: string, fix: string): Finding {
  return { check, status: 'warning', message, fix };
}

/** The message of an error that is ours holds no secret; of another, only its class is shown. */
function failed(check: string, cause: unknown, fix: string): Finding {
  const message = cause instanceof FreshetError ? cause.message : 'It failed for an unknown reason.';
  return { check, status: 'error', message, fix };
}
