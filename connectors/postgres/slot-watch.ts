import type { ConnectorHealth } from '../connector.ts';
import type { PgSession } from './pg-connection.ts';
import { readPublication } from './publication.ts';
import { isResyncAsked } from '../asked-resync.ts';
import { ResyncRequired } from '../resync-required.ts';
import { isLost, type SlotStatus } from '../slot-status.ts';
import { publicationName, slotName } from '../captured-tables.ts';
import { readSlot } from './slot.ts';
import { DEFAULT_HEARTBEAT_MS, type SourceContext } from './source-context.ts';

/** A lost slot shows within this time: the server may go on calling a stream running whose slot is gone. */
const POLL_EVERY_MS = 2_000;

/**
 * Looks at the slot and the publication while they are in use, and writes a heartbeat when the source is idle, until the signal
 * aborts.
 * @throws ResyncRequired when changes are lost, SourceUnavailable when the server cannot be asked
 */
export async function watchSlot(
  context: SourceContext,
  sql: PgSession,
  onStatus: (status: Pick<ConnectorHealth, 'slot' | 'retainedBytes'>) => void,
  signal: AbortSignal,
): Promise<never> {
  const { config, clock, progress, metrics } = context;
  const heartbeatMs = config.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
  let position = progress.state.position;
  let movedAt = clock.monotonicMs();
  for (;;) {
    const slot = await readSlot(sql, slotName(config), signal);
    if (slot) onStatus(slotHealth(slot));
    metrics.sourceRetainedBytes.set({ source: config.name }, slot?.retainedBytes ?? 0);
    if (!slot) throw new ResyncRequired('slot-missing');
    if (isLost(slot)) throw new ResyncRequired('slot-lost');
    const publication = await readPublication(sql, publicationName(config), signal);
    const gaps = progress.state.tables.some(
      (table) => publication?.rels.get(table.oid) !== entry(table.publicationRel),
    );
    if (publication?.oid !== progress.state.publicationOid || !publication.publishesAll || gaps)
      throw new ResyncRequired('publication-changed');
    if (await isResyncAsked(context.log, config.name, signal)) throw new ResyncRequired('records-lost');
    if (progress.state.position !== position) {
      position = progress.state.position;
      movedAt = clock.monotonicMs();
    } else if (heartbeatMs > 0 && clock.monotonicMs() - movedAt >= heartbeatMs) {
      await heartbeat(sql, config.name, signal);
      movedAt = clock.monotonicMs();
    }
    await clock.sleep(Math.min(POLL_EVERY_MS, heartbeatMs || POLL_EVERY_MS), signal);
  }
}

/** A publication FOR ALL TABLES has no entries; the state holds 0 then. */
function entry(rel: number): number | undefined {
  return rel === 0 ? undefined : rel;
}

/** Writes something into the server's log that is ours to confirm, so that the slot moves on although no captured table changes. */
async function heartbeat(sql: PgSession, source: string, signal: AbortSignal): Promise<void> {
  await sql.query('SELECT pg_logical_emit_message(false, $1, $2)', ['freshet', source], signal);
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
