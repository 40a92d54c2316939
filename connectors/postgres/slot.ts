import { parseLsn, type Lsn } from '../../schemas/lsn.ts';
import { isLost, type SlotStatus } from '../slot-status.ts';
import type { CapturedTable } from './catalog.ts';
import type { PgSession, TextRow } from './pg-connection.ts';
import type { ResyncReason } from '../resync-required.ts';
import type { SourceState } from './source-state.ts';

/** Who the server is and where its log stands. */
export interface SystemIdentity {
  readonly systemId: string;
  readonly timeline: number;
  /** Up to where the log is on the server's disk. */
  readonly flushLsn: Lsn;
  readonly database: string;
}

const SLOT_SQL = `
SELECT s.*, CASE WHEN s.restart_lsn IS NOT NULL THEN pg_wal_lsn_diff(pg_current_wal_insert_lsn(), s.restart_lsn) END AS retained
FROM pg_replication_slots s WHERE s.slot_name = $1`;

/** The slot, or undefined when the server has none of this name. Columns that older servers lack read as null. */
export async function readSlot(sql: PgSession, name: string, signal: AbortSignal): Promise<SlotStatus | undefined> {
  const [row] = await sql.query(SLOT_SQL, [name], signal);
  return row && slotStatus(row);
}

function slotStatus(row: TextRow): SlotStatus {
  const lsn = (text: string | null | undefined): Lsn | undefined => (text ? parseLsn(text) : undefined);
  return {
    name: row['slot_name'] ?? '',
    plugin: row['plugin'] ?? '',
    database: row['database'] ?? null,
    activePid: row['active_pid'] ? Number(row['active_pid']) : null,
    restartLsn: lsn(row['restart_lsn']),
    confirmedFlushLsn: lsn(row['confirmed_flush_lsn']),
    walStatus: row['wal_status'] ?? null,
    invalidationReason: row['invalidation_reason'] ?? null,
    retainedBytes: row['retained'] ? Number(row['retained']) : undefined,
  };
}

/**
 * Identity of the server, by a replication session. Its position is only ever compared, never started from (B05).
 */
export async function identify(replication: PgSession, signal: AbortSignal): Promise<SystemIdentity> {
  const [row] = await replication.query('IDENTIFY_SYSTEM', [], signal);
  return {
    systemId: row?.['systemid'] ?? '',
    timeline: Number(row?.['timeline']),
    flushLsn: parseLsn(row?.['xlogpos'] ?? '') ?? (0n as Lsn),
    database: row?.['dbname'] ?? '',
  };
}

/** What the server looks like at a start. */
export interface StartFacts {
  readonly identity: SystemIdentity;
  readonly slotName: string;
  readonly slot: SlotStatus | undefined;
  readonly tables: readonly CapturedTable[];
  /** Numbers of the publication, and of its entries by table number. */
  readonly publication: { readonly oid: number; readonly rels: ReadonlyMap<number, number> };
}

/**
 * Why the stored position cannot be gone on from; undefined when it can. Every way in which changes may have gone by unseen ends
 * here, because the server itself would stream on from wherever it likes without a word (B07).
 */
export function resyncReason(state: SourceState, facts: StartFacts): ResyncReason | undefined {
  const { identity, slot } = facts;
  const position = parseLsn(state.position);
  if (state.systemId !== identity.systemId) return 'system-changed';
  if (state.timeline !== identity.timeline) return 'timeline-changed';
  if (position === undefined || position > identity.flushLsn) return 'position-went-back';
  if (state.slot !== facts.slotName) return 'slot-renamed';
  if (!slot) return 'slot-missing';
  if (isLost(slot)) return 'slot-lost';
  if ((slot.confirmedFlushLsn ?? 0n) > position) return 'slot-moved';
  return tablesReason(state, facts);
}

/** The part of `resyncReason` that can also come true while we stream. */
export function tablesReason(
  state: SourceState,
  { publication, tables }: Pick<StartFacts, 'publication' | 'tables'>,
): ResyncReason | undefined {
  if (state.publicationOid !== publication.oid) return 'publication-changed';
  for (const table of tables) {
    const known = state.tables.find(({ name }) => name === `${table.schema}.${table.table}`);
    if (!known) return 'tables-added';
    if (known.oid !== table.oid) return 'table-recreated';
    if ([...table.columns].some((column) => !known.columns.includes(column))) return 'columns-added';
    if (known.key.join() !== table.key.map(({ name }) => name).join()) return 'key-changed';
    if (known.publicationRel !== (publication.rels.get(table.oid) ?? 0)) return 'publication-changed';
  }
  return undefined;
}
