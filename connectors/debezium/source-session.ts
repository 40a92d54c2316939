import type { Log } from '../../ports/log/log.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { SourceFenced, SourceMisconfigured, SourceUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { MAX_EPOCH } from '../../schemas/version.ts';
import type { ConnectorHealth } from '../connector.ts';
import { committedPlace, isSnapshotOver, isWithoutPlace } from './committed-position.ts';
import type { ConnectClient } from './connect-client.ts';
import { connectorProperties, type ConnectorProperties, type ConnectorRole } from './connector-config.ts';
import { snapshotConnectorName, streamConnectorName, type DebeziumSourceConfig } from './debezium-source.ts';
import { endOfSnapshotRecords, watermarkRecords, type Lanes, type SourcePlace } from './markers.ts';
import { epochRecord, isResyncAsked } from '../asked-resync.ts';
import { ResyncRequired, type ResyncReason } from '../resync-required.ts';
import type { SnapshotRows, SourceDatabase } from './source-database.ts';
import { layoutRecord, readState, stateRecord, type DebeziumSourceState } from './source-state.ts';
import { TaskWatch } from './task-watch.ts';
import { positionOrder } from '../../schemas/source-position.ts';

export interface DebeziumConnectorOptions {
  readonly config: DebeziumSourceConfig;
  /** Address of Kafka Connect's REST API. */
  readonly connectUrl: string;
  /** The log's own: put, with a dot, before the name of every topic. */
  readonly namespace?: string;
  /** Kafka as Kafka Connect reaches it; needed for MySQL and MariaDB. */
  readonly brokers?: string;
  readonly log: Log;
  /** Partitions of every source topic. */
  readonly partitions: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Epoch of the first snapshot when the log knows of none: above what an index holds that a lost log has filled. */
  readonly firstEpoch?: number;
  /** How often Kafka Connect is asked how far it is, ms; default 200. */
  readonly pollMs?: number;
}

/** What outlives one session. */
export interface Ownership {
  /** Our fencing number; undefined until we have taken the source over. */
  instance: number | undefined;
}

const DEFAULT_POLL_MS = 200;
/** Whether a newer process has taken the source over. */
const FENCE_EVERY_MS = 2_000;
const STOP_TIMEOUT_MS = 30_000;
const TABLES_EVERY_MS = 2_000;
/** Kafka Connect has an offset from the begin of an epoch on; one that stays away was deleted. */
const OFFSET_MISSING_MS = 10_000;

/** A connection that was cut without a word can leave a task running that reads nothing, for as long as TCP keeps hoping. */
const HUNG_MS = 15_000;

/** One stretch of work on a source, until something fails: checks, a new epoch where one is due, snapshot, stream. */
export class SourceSession {
  readonly #options: DebeziumConnectorOptions;
  readonly #connect: ConnectClient;
  readonly #database: SourceDatabase;
  readonly #ownership: Ownership;
  readonly #show: (change: Partial<ConnectorHealth>) => void;
  readonly #lanes: Lanes;
  #keys: ReadonlyMap<string, readonly string[]> = new Map();
  #layout = '';
  #fencedMs = Number.NEGATIVE_INFINITY;
  #tablesMs = 0;

  constructor(
    options: DebeziumConnectorOptions,
    parts: { readonly connect: ConnectClient; readonly database: SourceDatabase; readonly ownership: Ownership },
    show: (change: Partial<ConnectorHealth>) => void,
  ) {
    this.#options = options;
    this.#connect = parts.connect;
    this.#database = parts.database;
    this.#ownership = parts.ownership;
    this.#show = show;
    this.#lanes = options;
  }

  /**
   * Never resolves.
   * @param known a resync that an earlier session found necessary
   * @throws ResyncRequired, or an error of ours that says whether to try again
   */
  async run(known: ResyncReason | undefined, signal: AbortSignal): Promise<never> {
    const { config, log, metrics } = this.#options;
    const before = await this.#claim(await readState(log, config.name, signal), signal);
    const inspection = await this.#database.inspect(before, signal);
    await this.#writeLayout(inspection.tables, signal);
    const asked = (await isResyncAsked(log, config.name, signal)) ? 'records-lost' : undefined;
    const found = before?.phase === 'starting' ? undefined : (inspection.resync ?? this.#misfit(before));
    const reason = before && (known ?? asked ?? found);
    if (reason) metrics.sourceResyncs.inc({ source: config.name, reason });
    this.#show({
      state: reason ? 'resyncing' : before?.phase === 'streaming' ? 'connecting' : 'snapshot',
      ...(reason && { reason }),
    });
    const state = before && !reason && before.phase !== 'starting' ? before : await this.#begin(before, reason, signal);
    await this.#startStream(state, signal);
    const streaming = state.phase === 'snapshot' ? await this.#snapshot(state, signal) : state;
    await this.#removeSnapshotConnectors(undefined, signal);
    return await this.#stream(streaming, signal);
  }

  /** Why changes may not find the columns that they leave out. */
  #misfit(before: DebeziumSourceState | undefined): ResyncReason | undefined {
    const { partitions } = this.#options;
    if (!before || !this.#database.leavesColumnsOut) return undefined;
    if (before.phase === 'snapshot') return 'snapshot-interrupted';
    return (before.partitions ?? partitions) === partitions ? undefined : 'partitions-added';
  }

  /**
   * Makes the source ours. The first session of a process takes the next number; whoever then finds a higher one in the log has
   * been replaced and stops, instead of fighting for the source (B09).
   */
  async #claim(state: DebeziumSourceState | undefined, signal: AbortSignal): Promise<DebeziumSourceState | undefined> {
    const { config, log } = this.#options;
    const { instance } = this.#ownership;
    if (instance !== undefined && state && state.instance > instance)
      throw new SourceFenced(`A newer process reads source ${config.name}; this one stops.`);
    if (!state || state.instance === instance) return state;
    const claimed = { ...state, instance: instance ?? state.instance + 1 };
    this.#ownership.instance = claimed.instance;
    await log.append([stateRecord(config.name, claimed)], signal);
    return claimed;
  }

  /** Says in the log what the columns are, before the first change that needs to know. */
  async #writeLayout(
    tables: Awaited<ReturnType<SourceDatabase['inspect']>>['tables'],
    signal: AbortSignal,
  ): Promise<void> {
    if (!tables) return;
    const { config, log } = this.#options;
    this.#keys = new Map(tables.map(({ table, key }) => [table, key]));
    const layout = JSON.stringify(tables);
    if (layout === this.#layout) return;
    await log.append([layoutRecord(config.name, { tables })], signal);
    this.#layout = layout;
  }

  /** Starts a new epoch. Each step may be repeated after a crash; the stream runs only once the state says so. */
  async #begin(
    before: DebeziumSourceState | undefined,
    reason: ResyncReason | undefined,
    signal: AbortSignal,
  ): Promise<DebeziumSourceState> {
    const { config, log, logger } = this.#options;
    const epoch = !before ? (this.#options.firstEpoch ?? 0) : reason ? before.epoch + 1 : before.epoch;
    if (epoch > MAX_EPOCH)
      throw new SourceMisconfigured(`Source ${config.name} was read again ${MAX_EPOCH} times; give it a new name.`);
    const instance = (this.#ownership.instance ??= before?.instance ?? 1);
    const nothing = {
      systemId: '',
      timeline: 0,
      slot: '',
      publicationOid: 0,
      tables: [],
      position: '0/0',
      committedAt: 0,
    };
    const starting: DebeziumSourceState = {
      kind: 'debezium',
      ...(before ?? nothing),
      epoch,
      phase: 'starting',
      instance,
      partitions: this.#options.partitions,
    };
    await log.append([stateRecord(config.name, starting), epochRecord(config.name, epoch)], signal);
    const name = this.#streamName;
    await this.#stop(name, signal);
    await this.#removeSnapshotConnectors(undefined, signal);
    const { facts, position, committedAt, start } = await this.#database.begin(signal);
    await using rows = start?.rows;
    await this.#register('stream', epoch, 'STOPPED', signal);
    await this.#stop(name, signal);
    if (start) await this.#connect.setOffset(name, { server: config.name }, start.offset, signal);
    else {
      await this.#connect.forgetOffset(name, signal);
      // Kafka Connect keeps the offsets of connectors that were removed; an old one would say that the rows have been read.
      const snapshot = await this.#register('snapshot', epoch, 'STOPPED', signal);
      await this.#stop(snapshot, signal);
      await this.#connect.forgetOffset(snapshot, signal);
    }
    const state: DebeziumSourceState = {
      ...starting,
      ...facts,
      tables: [...facts.tables],
      phase: 'snapshot',
      position,
      committedAt,
    };
    await log.append([stateRecord(config.name, state)], signal);
    logger[reason ? 'warn' : 'info']('The tables of the source are read.', { source: config.name, epoch, reason });
    return rows ? await this.#readRows(state, rows, signal) : state;
  }

  /** Reads the rows to which the stream fits, before it runs. What breaks it off has it done again in a new epoch. */
  async #readRows(state: DebeziumSourceState, rows: SnapshotRows, signal: AbortSignal): Promise<DebeziumSourceState> {
    const { config, log, metrics, partitions } = this.#options;
    const { epoch, position, committedAt } = state;
    const stream = new TaskWatch(this.#streamName, this.#connect, this.#options);
    for await (const records of rows.read({ epoch, position, committedAt, partitions }, signal)) {
      await log.append(records, signal);
      metrics.sourceChanges.inc({ source: config.name, op: 'r' }, records.length);
      this.#show(await this.#look(state, stream, signal));
    }
    await this.#requireOurs(signal);
    return await this.#endSnapshot(state, signal);
  }

  /** Says in every lane that rows which have not come are gone, and that changes may. */
  async #endSnapshot(state: DebeziumSourceState, signal: AbortSignal): Promise<DebeziumSourceState> {
    const { config, log, logger } = this.#options;
    await log.append(endOfSnapshotRecords(this.#lanes, state, state.epoch), signal);
    const done: DebeziumSourceState = { ...state, phase: 'streaming' };
    await log.append([stateRecord(config.name, done)], signal);
    logger.info('The snapshot is complete.', { source: config.name, epoch: state.epoch });
    return done;
  }

  /** Ends a connector's task and waits until it has. One that does not exist has none. */
  async #stop(name: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + STOP_TIMEOUT_MS;
    await this.#connect.stop(name, signal);
    for (;;) {
      const status = await this.#connect.status(name, signal);
      if (!status || (status.state === 'STOPPED' && status.tasks.length === 0)) return;
      if (clock.monotonicMs() > deadlineMs)
        throw new SourceUnavailable(`Kafka Connect does not stop ${name} within ${STOP_TIMEOUT_MS} ms.`);
      await clock.sleep(this.#pollMs, signal);
    }
  }

  get #streamName(): string {
    return streamConnectorName(this.#options.config.name, this.#options.namespace);
  }

  #snapshotName(epoch: number): string {
    return snapshotConnectorName(this.#options.config.name, epoch, this.#options.namespace);
  }

  get #pollMs(): number {
    return this.#options.pollMs ?? DEFAULT_POLL_MS;
  }

  async #register(
    role: ConnectorRole,
    epoch: number,
    initialState: 'RUNNING' | 'STOPPED',
    signal: AbortSignal,
  ): Promise<string> {
    const name = role === 'stream' ? this.#streamName : this.#snapshotName(epoch);
    await this.#connect.register(name, this.#properties(role, epoch), initialState, signal);
    return name;
  }

  #properties(role: ConnectorRole, epoch: number): ConnectorProperties {
    const { config, brokers, namespace } = this.#options;
    return connectorProperties({ config, role, epoch, keys: this.#keys, brokers, namespace });
  }

  async #startStream(state: DebeziumSourceState, signal: AbortSignal): Promise<void> {
    await this.#register('stream', state.epoch, 'RUNNING', signal);
    await this.#connect.resume(this.#streamName, signal);
  }

  /** Connectors that have read this source's tables, but for one that is still wanted. */
  async #removeSnapshotConnectors(wanted: string | undefined, signal: AbortSignal): Promise<void> {
    const prefix = this.#snapshotName(0).slice(0, -1);
    for (const name of await this.#connect.names(signal)) {
      const isOurs = name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
      if (isOurs && name !== wanted) await this.#connect.remove(name, signal);
    }
  }

  /**
   * Has Debezium read the rows. The stream's place lies before them: whatever changes while they are read is streamed, and wins (ADR 13).
   * Ends when Kafka Connect has committed the snapshot's last record.
   */
  async #snapshot(state: DebeziumSourceState, signal: AbortSignal): Promise<DebeziumSourceState> {
    const stream = new TaskWatch(this.#streamName, this.#connect, this.#options);
    await this.#streamBegun(state, stream, signal);
    const name = this.#snapshotName(state.epoch);
    await this.#removeSnapshotConnectors(name, signal);
    await this.#register('snapshot', state.epoch, 'RUNNING', signal);
    await this.#connect.resume(name, signal);
    const rows = new TaskWatch(name, this.#connect, this.#options);
    for (;;) {
      const fault = (await stream.look(signal)) ?? (await rows.look(signal));
      this.#show({ ...(fault !== undefined && { reason: fault }), ...(await this.#look(state, stream, signal)) });
      const offset = await this.#connect.offset(name, signal);
      if (offset && isSnapshotOver(offset)) break;
      if (offset && isWithoutPlace(offset) && rows.hasFailed) await this.#readFromTheStart(name, signal);
      await this.#options.clock.sleep(this.#pollMs, signal);
    }
    return await this.#endSnapshot(state, signal);
  }

  async #readFromTheStart(name: string, signal: AbortSignal): Promise<void> {
    await this.#stop(name, signal);
    await this.#connect.forgetOffset(name, signal);
    await this.#connect.resume(name, signal);
  }

  /** Waits until the stream has a place, so that nothing falls between it and the snapshot. */
  async #streamBegun(state: DebeziumSourceState, stream: TaskWatch, signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#options;
    for (;;) {
      const fault = await stream.look(signal);
      const offset = await this.#connect.offset(this.#streamName, signal);
      if (offset && committedPlace(config.database, offset)) return;
      this.#show({ ...(fault !== undefined && { reason: fault }), ...(await this.#look(state, stream, signal)) });
      await clock.sleep(this.#pollMs, signal);
    }
  }

  /** Looks at the source, and whether it is still ours. */
  async #look(
    state: DebeziumSourceState,
    stream: TaskWatch,
    signal: AbortSignal,
  ): Promise<Pick<ConnectorHealth, 'slot' | 'retainedBytes'>> {
    const { config, clock, metrics } = this.#options;
    if (clock.monotonicMs() - this.#fencedMs >= FENCE_EVERY_MS) await this.#requireOurs(signal);
    const status = await this.#database.look(state, stream.offset, signal);
    if (status.retainedBytes !== undefined)
      metrics.sourceRetainedBytes.set({ source: config.name }, status.retainedBytes);
    return status;
  }

  /** @throws SourceFenced when another process has the source, ResyncRequired when the pipeline has asked for it */
  async #requireOurs(signal: AbortSignal): Promise<void> {
    const { config, log, clock } = this.#options;
    this.#fencedMs = clock.monotonicMs();
    await this.#claim(await readState(log, config.name, signal), signal);
    if (await isResyncAsked(log, config.name, signal)) throw new ResyncRequired('records-lost');
  }

  /** Writes a watermark whenever Kafka Connect has committed more, until something is wrong. */
  async #stream(state: DebeziumSourceState, signal: AbortSignal): Promise<never> {
    const { config, clock, log } = this.#options;
    const name = this.#streamName;
    const stream = new TaskWatch(name, this.#connect, this.#options);
    let written: SourcePlace | undefined;
    let offsetAtMs = clock.monotonicMs();
    for (;;) {
      const fault = await stream.look(signal);
      const slot = await this.#look(state, stream, signal);
      if (Math.min(this.#database.unreadMs, stream.runningMs) > HUNG_MS) {
        await this.#database.freeStream(signal);
        await stream.restartHung(signal);
      }
      // Read after the source was seen whole, so that what it says cannot come from a stream that has begun behind a gap.
      const offset = await this.#connect.offset(name, signal);
      if (offset) offsetAtMs = clock.monotonicMs();
      else if (clock.monotonicMs() - offsetAtMs > OFFSET_MISSING_MS) throw new ResyncRequired('offset-lost');
      stream.offset = offset;
      const place = offset && later(written, committedPlace(config.database, offset));
      if (place) {
        await log.append(watermarkRecords(this.#lanes, place, state.epoch), signal);
        written = place;
      }
      this.#show({
        state: stream.isRunning ? 'streaming' : 'connecting',
        ...(fault !== undefined && { reason: fault }),
        ...(written && { position: written.position }),
        ...slot,
      });
      await this.#refreshLayout(state, signal);
      await clock.sleep(this.#pollMs, signal);
    }
  }

  /** Follows DDL: new types of columns must be known before the rows that have them are read. */
  async #refreshLayout(state: DebeziumSourceState, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    if (clock.monotonicMs() - this.#tablesMs < TABLES_EVERY_MS) return;
    this.#tablesMs = clock.monotonicMs();
    const { resync, tables } = await this.#database.inspect(state, signal);
    if (resync) throw new ResyncRequired(resync);
    await this.#writeLayout(tables, signal);
  }
}

/** The place to write next; undefined when it is not beyond what is written. Neither position nor time goes back. */
function later(written: SourcePlace | undefined, next: SourcePlace | undefined): SourcePlace | undefined {
  if (!written || !next) return next;
  if ((positionOrder(next.position) ?? 0n) <= (positionOrder(written.position) ?? 0n)) return undefined;
  return { position: next.position, committedAt: Math.max(written.committedAt, next.committedAt) };
}
