import type { Clock } from '../../runtime/clock.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import { formatLsn, normalizeAfter, parseLsn, type Lsn } from '../../schemas/lsn.ts';
import type { TableLayout } from '../../schemas/table-layout.ts';
import type { ConnectorHealth } from '../connector.ts';
import type { ConnectorOffset } from './connect-client.ts';
import { MESSAGE_PREFIX } from './connector-config.ts';
import { DEFAULT_HEARTBEAT_MS, type DebeziumSourceConfig } from './debezium-source.ts';
import { ExportedRows } from './exported-rows.ts';
import { PgSession } from './pg-session.ts';
import { readTables, type CapturedTable } from './postgres-catalog.ts';
import { ensurePublication, readPublication, type Publication } from './publication.ts';
import {
  dropSlot,
  freeSlot,
  leadOf,
  readServer,
  slotHealth,
  type ServerStatus,
  type SlotLead,
} from './replication-slot.ts';
import { ResyncRequired, type ResyncReason } from '../resync-required.ts';
import { publicationName, slotName } from '../captured-tables.ts';
import { isLost } from '../slot-status.ts';
import type { Beginning, DatabaseFacts, SourceDatabase } from './source-database.ts';
import type { DebeziumSourceState, KnownTable } from './source-state.ts';

/** A lost slot shows within this time; Debezium itself may go on calling its task running. */
const LOOK_EVERY_MS = 500;
/** Publication and catalog change with DDL only. */
const LOOK_AT_TABLES_EVERY_MS = 2_000;
/**
 * Debezium tells the server of records that Kafka has acknowledged a moment before Connect commits their offset. A slot whose place the
 * committed offset has not reached for longer was made anew, or moved, by somebody else.
 */
const LEAD_FOR_MS = 15_000;

/** Debezium reports to the server every ten seconds; a reader that does not is cut off from it. */
const SILENT_MS = 25_000;

/** A PostgreSQL database as the source of Debezium's stream. */
export class PostgresDatabase implements SourceDatabase {
  readonly leavesColumnsOut = true;
  readonly #config: DebeziumSourceConfig;
  readonly #clock: Clock;
  readonly #sql: PgSession;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #lookedAtTablesMs = Number.NEGATIVE_INFINITY;
  #heartbeatMs = Number.NEGATIVE_INFINITY;
  #lead: SlotLead | undefined;
  #unreadSinceMs: number | undefined;
  #health: Pick<ConnectorHealth, 'slot' | 'retainedBytes'> = {};

  private constructor(config: DebeziumSourceConfig, clock: Clock, sql: PgSession) {
    this.#config = config;
    this.#clock = clock;
    this.#sql = sql;
  }

  static async open(config: DebeziumSourceConfig, clock: Clock, signal: AbortSignal): Promise<PostgresDatabase> {
    return new PostgresDatabase(config, clock, await PgSession.open(config.connection, config.name, signal));
  }

  get #slot(): string {
    return slotName(this.#config);
  }

  get #publication(): string {
    return publicationName(this.#config);
  }

  get unreadMs(): number {
    return this.#unreadSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#unreadSinceMs;
  }

  async freeStream(signal: AbortSignal): Promise<void> {
    await freeSlot(this.#sql, this.#slot, signal);
  }

  async inspect(
    state: DebeziumSourceState | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly resync: ResyncReason | undefined; readonly tables: readonly TableLayout[] }> {
    const [level] = await this.#sql.query('SHOW wal_level', [], signal);
    if (level?.['wal_level'] !== 'logical')
      throw new SourceMisconfigured(
        `Source ${this.#config.name}: wal_level is ${level?.['wal_level']}. Run ALTER SYSTEM SET wal_level = 'logical'; and restart the server.`,
      );
    const tables = await readTables(this.#sql, this.#config, signal);
    const layouts = tables.map(({ layout }) => layout);
    if (!state) return { resync: undefined, tables: layouts };
    const server = await readServer(this.#sql, this.#slot, signal);
    const publication = await readPublication(this.#sql, this.#publication, signal);
    return {
      resync: slotReason(state, server, this.#slot) ?? tablesReason(state, tables, publication),
      tables: layouts,
    };
  }

  async begin(signal: AbortSignal): Promise<Beginning> {
    const tables = await readTables(this.#sql, this.#config, signal);
    const publication = await ensurePublication(this.#sql, this.#publication, tables, signal);
    const [clock] = await this.#sql.query(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now',
      [],
      signal,
    );
    const committedAt = Number(clock?.['now']);
    await dropSlot(this.#sql, this.#slot, signal);
    const server = await readServer(this.#sql, this.#slot, signal);
    const rows = await ExportedRows.begin(this.#config, this.#slot, tables, this.#clock, signal);
    const lsn = Number(rows.consistentPoint);
    return {
      facts: factsOf(server, this.#slot, tables, publication),
      position: formatLsn(rows.consistentPoint),
      committedAt,
      // With an offset from the start, a task that finds the slot gone or made anew stops, instead of making one and going on.
      start: { offset: { lsn, lsn_proc: lsn, lsn_commit: lsn, ts_usec: committedAt * 1_000 }, rows },
    };
  }

  async look(
    state: DebeziumSourceState,
    offset: ConnectorOffset | undefined,
    signal: AbortSignal,
  ): Promise<Pick<ConnectorHealth, 'slot' | 'retainedBytes'>> {
    const now = this.#clock.monotonicMs();
    if (now - this.#lookedMs < LOOK_EVERY_MS) return this.#health;
    this.#lookedMs = now;
    const server = await readServer(this.#sql, this.#slot, signal);
    this.#health = server.slot ? slotHealth(server.slot) : {};
    const isRead = server.slot?.activePid !== null && (server.heardAgoMs ?? 0) < SILENT_MS;
    this.#unreadSinceMs = isRead ? undefined : (this.#unreadSinceMs ?? now);
    const reason = slotReason(state, server, this.#slot) ?? this.#offsetReason(server, offset, now);
    if (reason) throw new ResyncRequired(reason);
    if (now - this.#lookedAtTablesMs >= LOOK_AT_TABLES_EVERY_MS) {
      this.#lookedAtTablesMs = now;
      const publication = await readPublication(this.#sql, this.#publication, signal);
      const changed = publicationReason(state, publication);
      if (changed) throw new ResyncRequired(changed);
    }
    await this.#heartbeat(server.insertLsn, offset, now, signal);
    return this.#health;
  }

  #offsetReason(server: ServerStatus, offset: ConnectorOffset | undefined, now: number): ResyncReason | undefined {
    const committed = offset && lsnOf(offset);
    if (committed === undefined) return undefined;
    if (committed > server.flushLsn) return 'position-went-back';
    this.#lead = leadOf(this.#lead, server.slot?.confirmedFlushLsn ?? 0n, committed, now);
    return this.#lead !== undefined && now - this.#lead.sinceMs > LEAD_FOR_MS ? 'slot-moved' : undefined;
  }

  /**
   * Commits something that is ours into the server's log while the committed offset is behind it: the stream is told of transactions
   * of captured tables only, and its position, hence ours, would otherwise stay where the last of those was. A commit, since only
   * whole transactions count; it also ends the wait for asynchronous commits and does not wait for open ones.
   */
  async #heartbeat(
    insertLsn: Lsn,
    offset: ConnectorOffset | undefined,
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    const everyMs = this.#config.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
    const isBehind = ((offset && lsnOf(offset)) ?? 0n) < normalizeAfter(insertLsn);
    if (everyMs === 0 || !isBehind || now - this.#heartbeatMs < everyMs) return;
    this.#heartbeatMs = now;
    await this.#sql.query('SELECT pg_logical_emit_message(true, $1, $2)', [MESSAGE_PREFIX, this.#config.name], signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql[Symbol.asyncDispose]();
  }
}

function lsnOf(offset: ConnectorOffset): bigint | undefined {
  const lsn = offset['lsn_commit'];
  return typeof lsn === 'number' ? BigInt(lsn) : undefined;
}

function factsOf(
  server: ServerStatus,
  slot: string,
  tables: readonly CapturedTable[],
  publication: Publication,
): DatabaseFacts {
  return {
    systemId: server.systemId,
    timeline: server.timeline,
    slot,
    publicationOid: publication.oid,
    tables: tables.map(({ oid, layout }): KnownTable => ({
      name: layout.table,
      columns: Object.keys(layout.columns),
      key: [...layout.key],
      oid,
      entry: publication.entries.get(oid) ?? 0,
    })),
  };
}

/** Why the slot does not hold what the stream needs; undefined when it does. */
function slotReason(state: DebeziumSourceState, server: ServerStatus, slotName: string): ResyncReason | undefined {
  if (state.systemId !== server.systemId) return 'system-changed';
  if (state.timeline !== server.timeline) return 'timeline-changed';
  if ((parseLsn(state.position) ?? 0n) > server.flushLsn) return 'position-went-back';
  if (state.slot !== slotName) return 'slot-renamed';
  if (!server.slot) return 'slot-missing';
  return isLost(server.slot) ? 'slot-lost' : undefined;
}

function publicationReason(state: DebeziumSourceState, publication: Publication | undefined): ResyncReason | undefined {
  const hasGap = state.tables.some(({ oid, entry }) => (publication?.entries.get(oid) ?? 0) !== entry);
  const isSame = publication?.oid === state.publicationOid && publication.publishesAll && !hasGap;
  return isSame ? undefined : 'publication-changed';
}

function tablesReason(
  state: DebeziumSourceState,
  tables: readonly CapturedTable[],
  publication: Publication | undefined,
): ResyncReason | undefined {
  for (const { oid, layout } of tables) {
    const known = state.tables.find(({ name }) => name === layout.table);
    if (!known) return 'tables-added';
    if (known.oid !== oid) return 'table-recreated';
    if (Object.keys(layout.columns).some((column) => !known.columns.includes(column))) return 'columns-added';
    if (known.key.join() !== layout.key.join()) return 'key-changed';
  }
  return publicationReason(state, publication);
}
