import { SourceFenced, SourceMisconfigured, SourceUnavailable } from '../../runtime/errors.ts';
import { formatLsn, parseLsn, ZERO_LSN } from '../../schemas/lsn.ts';
import type { ConnectorHealth } from '../connector.ts';
import { ColumnTypes, readTables, type CapturedTable } from './catalog.ts';
import { PgSession, sqlState } from './pg-connection.ts';
import { ensurePublication, readPublication, type Publication } from './publication.ts';
import { ReplicationStream } from './replication-stream.ts';
import { epochRecord, isResyncAsked } from '../asked-resync.ts';
import { ResyncRequired, type ResyncReason } from '../resync-required.ts';
import type { SlotStatus } from '../slot-status.ts';
import { publicationName, slotName } from '../captured-tables.ts';
import { identify, readSlot, resyncReason, type SystemIdentity } from './slot.ts';
import { watchSlot } from './slot-watch.ts';
import { createSlot, NOTHING_READ, readSnapshot } from './snapshot.ts';
import {
  DEFAULT_MAX_IN_FLIGHT_BYTES,
  SourceProgress,
  type Ownership,
  type PostgresConnectorOptions,
  type SourceContext,
} from './source-context.ts';
import { currentEpoch, readState, stateRecord, type KnownTable, type SourceState } from './source-state.ts';
import { streamChanges } from './stream-changes.ts';

const TAKEOVER_WAIT_MS = 5_000;
const MAX_STATUS_EVERY_MS = 10_000;

/** What the checks at the start of a connection found. */
interface Start {
  readonly state: SourceState | undefined;
  readonly identity: SystemIdentity;
  readonly tables: readonly CapturedTable[];
  readonly publication: Publication;
  readonly slot: SlotStatus | undefined;
}

/** One connection to the source: checks, snapshot where one is due, stream. */
export class SourceSession {
  private readonly options: PostgresConnectorOptions;
  private readonly ownership: Ownership;
  private readonly show: (change: Partial<ConnectorHealth>) => void;

  constructor(
    options: PostgresConnectorOptions,
    ownership: Ownership,
    show: (change: Partial<ConnectorHealth>) => void,
  ) {
    this.options = options;
    this.ownership = ownership;
    this.show = show;
  }

  /**
   * Never resolves.
   * @param known a resync that an earlier connection found necessary
   * @throws ResyncRequired, or an error of ours that says whether to try again
   */
  async run(known: ResyncReason | undefined, signal: AbortSignal): Promise<never> {
    await using sql = await this.open(false, signal);
    await using replication = await this.open(true, signal);
    const start = await this.inspect(sql, replication, signal);
    const asked = (await isResyncAsked(this.options.log, this.options.config.name, signal))
      ? 'records-lost'
      : undefined;
    const reason =
      start.state &&
      (known ??
        asked ??
        resyncReason(start.state, { ...start, slotName: slotName(this.options.config) }) ??
        (isRepartitioned(start.state, this.options.partitions) ? 'partitions-added' : undefined));
    const isAnew = !start.state || reason !== undefined;
    if (reason) this.options.metrics.sourceResyncs.inc({ source: this.options.config.name, reason });
    this.show({
      state: reason ? 'resyncing' : isAnew || start.state?.snapshot ? 'snapshot' : 'connecting',
      ...(reason && { reason }),
    });
    const begun = isAnew ? await this.beginSnapshot(start, reason, sql, replication, signal) : undefined;
    const state = begun?.state ?? start.state;
    if (!state) throw new SourceUnavailable('There is no state to start from.');
    const context = this.context(start, state);
    if (state.tables.length > start.tables.length) {
      // A table has left the config; when it comes back it counts as new.
      const names = new Set(start.tables.map((table) => `${table.schema}.${table.table}`));
      await context.progress.append([], { tables: state.tables.filter(({ name }) => names.has(name)) }, signal);
    }
    if (state.snapshot)
      await this.watched(context, sql, (both) => this.snapshot(context, begun?.snapshotName, both), signal);
    return await this.watched(context, sql, (both) => this.stream(context, sql, replication, both), signal);
  }

  private open(replication: boolean, signal: AbortSignal): Promise<PgSession> {
    const { config } = this.options;
    return PgSession.open(config.connection, { source: config.name, replication }, signal);
  }

  private context({ tables }: Start, state: SourceState): SourceContext {
    const { config, log, partitions } = this.options;
    return {
      ...this.options,
      tables,
      types: new ColumnTypes(),
      lanes: { source: config.name, tables, partitions },
      progress: new SourceProgress(log, config.name, state),
    };
  }

  /** Looks at everything before touching anything, takes the source over, and brings the publication in order. */
  private async inspect(sql: PgSession, replication: PgSession, signal: AbortSignal): Promise<Start> {
    const { config, log } = this.options;
    const identity = await identify(replication, signal);
    const [level] = await sql.query('SHOW wal_level', [], signal);
    if (level?.['wal_level'] !== 'logical')
      throw new SourceMisconfigured(
        `Source ${config.name}: wal_level is ${level?.['wal_level']}. Run ALTER SYSTEM SET wal_level = 'logical'; and restart the server.`,
      );
    let state = await this.claim(await readState(log, config.name, signal), signal);
    const tables = await readTables(sql, config, state?.tables ?? [], signal);
    const slot = await this.freeSlot(sql, identity, state !== undefined, signal);
    const found = await readPublication(sql, publicationName(config), signal);
    if (state && found && !found.publishesAll) {
      // Changes went by unpublished. That must outlive a crash between the mend below and the snapshot.
      state = { ...state, publicationOid: 0 };
      await log.append([stateRecord(config.name, state)], signal);
    }
    return {
      state,
      identity,
      tables,
      slot,
      publication: await ensurePublication(sql, publicationName(config), tables, signal),
    };
  }

  /**
   * Makes the source ours. The first connection of a process takes the next number; whoever then finds a higher one in the log has
   * been replaced and stops, instead of fighting for the slot (B09).
   */
  private async claim(state: SourceState | undefined, signal: AbortSignal): Promise<SourceState | undefined> {
    const { config, log } = this.options;
    const { instance } = this.ownership;
    if (instance !== undefined && state && state.instance > instance)
      throw new SourceFenced(`A newer process reads source ${config.name}; this one stops.`);
    if (!state) return undefined;
    if (instance !== undefined && state.instance === instance) return state;
    const claimed = { ...state, instance: instance ?? state.instance + 1 };
    await log.append([stateRecord(config.name, claimed)], signal);
    return claimed;
  }

  /**
   * The slot, free to be used. A process that starts ends whoever streams from it; later it only ends what is left of its own last
   * connection, so that two processes can never end each other in turns.
   */
  private async freeSlot(
    sql: PgSession,
    identity: SystemIdentity,
    hasState: boolean,
    signal: AbortSignal,
  ): Promise<SlotStatus | undefined> {
    const { config } = this.options;
    const name = slotName(config);
    const slot = await readSlot(sql, name, signal);
    if (!slot) return undefined;
    if (slot.plugin !== 'pgoutput' || slot.database !== identity.database)
      throw new SourceMisconfigured(
        `Replication slot ${name} exists for something else (${slot.plugin}, database ${slot.database}); give source ${config.name} another \`slot\`.`,
      );
    if (slot.activePid === null) return slot;
    const isOurs = slot.activePid === this.ownership.lastBackendPid;
    const mayTake = this.ownership.instance === undefined;
    if (!hasState && !isOurs)
      throw new SourceMisconfigured(
        `Replication slot ${name} is in use by another program; give source ${config.name} another \`slot\`.`,
      );
    if (!isOurs && !mayTake)
      throw new SourceUnavailable(`Replication slot ${name} is in use by process ${slot.activePid}.`);
    await sql.query('SELECT pg_terminate_backend($1, $2)', [slot.activePid, TAKEOVER_WAIT_MS], signal);
    return await readSlot(sql, name, signal);
  }

  /** Makes a new slot and the state that goes with it. Everything before it is covered by the snapshot, whatever was lost. */
  private async beginSnapshot(
    { state: before, identity, tables, publication, slot }: Start,
    reason: ResyncReason | undefined,
    sql: PgSession,
    replication: PgSession,
    signal: AbortSignal,
  ): Promise<{ state: SourceState; snapshotName: string }> {
    const { config, log, logger } = this.options;
    const name = slotName(config);
    if (slot) await sql.query('SELECT pg_drop_replication_slot($1)', [name], signal);
    if (before && before.slot !== name) await this.dropFormerSlot(sql, before.slot, signal);
    // What committed before this time is in the snapshot: read before the slot exists, by the server's clock.
    const [clock] = await sql.query('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now', [], signal);
    const { consistentPoint, snapshotName } = await createSlot(replication, name, signal);
    const epoch = before ? currentEpoch(before) + 1 : (this.options.firstEpoch ?? 0);
    const fromCommitLsn = formatLsn(consistentPoint);
    const instance = this.ownership.instance ?? before?.instance ?? 1;
    const state: SourceState = {
      slot: name,
      systemId: identity.systemId,
      timeline: identity.timeline,
      publicationOid: publication.oid,
      position: fromCommitLsn,
      committedAt: Number(clock?.['now']),
      lastCommit: null,
      epochs: [...(before?.epochs ?? []), { epoch, fromCommitLsn }],
      snapshot: NOTHING_READ,
      tables: tables.map((table) => knownTable(table, publication)),
      partitions: this.options.partitions,
      instance,
    };
    await log.append([stateRecord(config.name, state), epochRecord(config.name, epoch)], signal);
    logger[reason ? 'warn' : 'info']('The tables of the source are read.', { source: config.name, epoch, reason });
    return { state, snapshotName };
  }

  private async dropFormerSlot(sql: PgSession, name: string, signal: AbortSignal): Promise<void> {
    const slot = await readSlot(sql, name, signal);
    if (slot?.activePid === null) await sql.query('SELECT pg_drop_replication_slot($1)', [name], signal);
  }

  private async snapshot(context: SourceContext, exported: string | undefined, signal: AbortSignal): Promise<void> {
    await using sql = await this.open(false, signal);
    await readSnapshot(context, sql, exported, signal);
  }

  private async stream(
    context: SourceContext,
    sql: PgSession,
    replication: PgSession,
    signal: AbortSignal,
  ): Promise<never> {
    const { config, clock } = this.options;
    const [timeout] = await sql.query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'", [], signal);
    const timeoutMs = Number(timeout?.['setting']) || MAX_STATUS_EVERY_MS;
    this.ownership.lastBackendPid = replication.backendPid;
    const slot = await readSlot(sql, slotName(config), signal);
    const { state } = context.progress;
    const position = parseLsn(state.position) ?? ZERO_LSN;
    const confirmed = slot?.confirmedFlushLsn ?? position;
    // The server knows less of us than we do: it has crashed, or it was set back to an older copy. Then it sends again what it does
    // not know to be durable, and our last transaction must be among it.
    const from = confirmed < position ? confirmed : position;
    const proof =
      state.lastCommit && (parseLsn(state.lastCommit.endLsn) ?? ZERO_LSN) > from ? state.lastCommit : undefined;
    let isStreaming = false;
    try {
      await using stream = await ReplicationStream.start(
        replication,
        {
          slot: slotName(config),
          publication: publicationName(config),
          from,
          maxInFlightBytes: config.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES,
          statusEveryMs: Math.min(MAX_STATUS_EVERY_MS, timeoutMs / 3),
          clock,
        },
        signal,
      );
      isStreaming = true;
      this.show({ state: 'streaming' });
      return await streamChanges(context, stream, { sql, proof }, signal);
    } catch (error) {
      // Both can come between our look at the slot and its use; the second also in mid-stream (B08).
      if (sqlState(error) === '42704' && !isStreaming) throw new ResyncRequired('slot-missing');
      if (sqlState(error) === '55000') throw new ResyncRequired('slot-lost');
      throw error;
    }
  }

  /** Runs `work` while the slot is watched; the first to fail ends both. */
  private async watched<T>(
    context: SourceContext,
    sql: PgSession,
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { instance } = context.progress.state;
    this.ownership.instance = instance;
    const end = new AbortController();
    const both = AbortSignal.any([signal, end.signal]);
    const watch = watchSlot(
      context,
      sql,
      (status) => this.show({ ...status, position: context.progress.state.position }),
      both,
    );
    const working = work(both);
    try {
      return await Promise.race([working, watch]);
    } finally {
      end.abort();
      // An append that is under way ends before the next connection reads the state.
      await Promise.allSettled([working, watch]);
    }
  }
}

/** In more partitions, changes of a row would come through another one than the row, and could be read before it. */
function isRepartitioned({ partitions: before }: SourceState, partitions: number): boolean {
  return before !== undefined && before !== partitions;
}

function knownTable(table: CapturedTable, publication: Publication): KnownTable {
  return {
    name: `${table.schema}.${table.table}`,
    oid: table.oid,
    columns: [...table.columns],
    key: table.key.map(({ name }) => name),
    publicationRel: publication.rels.get(table.oid) ?? 0,
  };
}
