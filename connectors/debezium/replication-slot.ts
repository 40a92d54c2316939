import { SourceMisconfigured } from '../../runtime/errors.ts';
import { parseLsn, type Lsn } from '../../schemas/lsn.ts';
import type { ConnectorHealth } from '../connector.ts';
import type { SlotStatus } from '../slot-status.ts';
import type { PgSession, TextRow } from './pg-session.ts';

/** The server as it is now, and what it keeps for us. */
export interface ServerStatus {
  readonly systemId: string;
  readonly timeline: number;
  readonly database: string;
  /** Up to where the log is on the server's disk. */
  readonly flushLsn: Lsn;
  /** Up to where the log is written at all: what a client gets that asks for the position behind its commit. */
  readonly insertLsn: Lsn;
  readonly slot: SlotStatus | undefined;
  /** How long ago the reader of the slot was last heard of, ms; undefined while nobody reads it, or when the server does not tell. */
  readonly heardAgoMs: number | undefined;
}

const STATUS_SQL = `
SELECT (SELECT system_identifier FROM pg_control_system()) AS system_id, (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
  current_database() AS current_database, pg_current_wal_flush_lsn() AS flush_lsn, pg_current_wal_insert_lsn() AS insert_lsn, to_jsonb(s) AS slot,
  CASE WHEN s.restart_lsn IS NOT NULL THEN pg_wal_lsn_diff(pg_current_wal_insert_lsn(), s.restart_lsn) END AS retained,
  extract(epoch FROM clock_timestamp() - coalesce(r.reply_time, r.backend_start)) * 1000 AS heard_ago
FROM (VALUES ($1::text)) AS wanted(name) LEFT JOIN pg_replication_slots s ON s.slot_name = wanted.name
  LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid`;

/** Asks server and slot in one statement. @throws SourceUnavailable, SourceMisconfigured */
export async function readServer(sql: PgSession, slot: string, signal: AbortSignal): Promise<ServerStatus> {
  const [row = {}] = await sql.query(STATUS_SQL, [slot], signal);
  return {
    systemId: row['system_id'] ?? '',
    timeline: Number(row['timeline']),
    database: row['current_database'] ?? '',
    flushLsn: lsnIn(row['flush_lsn']) ?? (0n as Lsn),
    insertLsn: lsnIn(row['insert_lsn']) ?? (0n as Lsn),
    heardAgoMs: row['heard_ago'] ? Number(row['heard_ago']) : undefined,
    slot: row['slot'] ? slotStatus(JSON.parse(row['slot']) as Record<string, unknown>, row) : undefined,
  };
}

function lsnIn(text: unknown): Lsn | undefined {
  return typeof text === 'string' ? parseLsn(text) : undefined;
}

/** Columns that older servers lack read as null. */
function slotStatus(slot: Readonly<Record<string, unknown>>, row: TextRow): SlotStatus {
  const text = (name: string): string | null => (typeof slot[name] === 'string' ? slot[name] : null);
  return {
    name: text('slot_name') ?? '',
    plugin: text('plugin') ?? '',
    database: text('database'),
    activePid: typeof slot['active_pid'] === 'number' ? slot['active_pid'] : null,
    restartLsn: lsnIn(slot['restart_lsn']),
    confirmedFlushLsn: lsnIn(slot['confirmed_flush_lsn']),
    walStatus: text('wal_status'),
    invalidationReason: text('invalidation_reason'),
    retainedBytes: row['retained'] ? Number(row['retained']) : undefined,
  };
}

/** A place that the slot has confirmed and the committed offset has not reached, and since when. */
export interface SlotLead {
  readonly lsn: bigint;
  readonly sinceMs: number;
}

/**
 * How a slot is ahead of the committed offset, given how it was at the last look. Under load it is at every look, each time of another
 * place; what tells is how long one and the same place is not reached.
 */
export function leadOf(
  before: SlotLead | undefined,
  confirmed: bigint,
  committed: bigint,
  nowMs: number,
): SlotLead | undefined {
  if (before && committed < before.lsn) return before;
  return confirmed > committed ? { lsn: confirmed, sinceMs: nowMs } : undefined;
}

/** Ends the connection that reads the slot, if there is one; its place stays. */
export async function freeSlot(sql: PgSession, name: string, signal: AbortSignal): Promise<void> {
  await sql.query(
    'SELECT pg_terminate_backend(active_pid, $2) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL',
    [name, TAKEOVER_WAIT_MS],
    signal,
  );
}

const TAKEOVER_WAIT_MS = 5_000;

/** Drops the slot, if there is one. @throws SourceMisconfigured when it is somebody else's. */
export async function dropSlot(sql: PgSession, name: string, signal: AbortSignal): Promise<void> {
  const { slot, database } = await readServer(sql, name, signal);
  if (!slot) return;
  if (slot.plugin !== 'pgoutput' || slot.database !== database)
    throw new SourceMisconfigured(
      `Replication slot ${name} exists for something else (${slot.plugin}, database ${slot.database}); set another \`slot\`.`,
    );
  await freeSlot(sql, name, signal);
  await sql.query('SELECT pg_drop_replication_slot($1)', [name], signal);
}

export function slotHealth(slot: SlotStatus): Pick<ConnectorHealth, 'slot' | 'retainedBytes'> {
  return {
    slot: {
      name: slot.name,
      status: slot.invalidationReason ?? slot.walStatus ?? 'unknown',
      active: slot.activePid !== null,
    },
    ...(slot.retainedBytes !== undefined && { retainedBytes: slot.retainedBytes }),
  };
}
