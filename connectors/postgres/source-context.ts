import type { Log } from '../../ports/log/log.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { PostgresSourceConfig } from '../../runtime/config/config.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { AppendRecord } from '../../ports/log/log.ts';
import type { CapturedTable, ColumnTypes } from './catalog.ts';
import type { Lanes } from './markers.ts';
import { stateRecord, type SourceState } from './source-state.ts';

export interface PostgresConnectorOptions {
  readonly config: PostgresSourceConfig;
  readonly log: Log;
  /** Partitions of every source topic. */
  readonly partitions: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Epoch of the first snapshot when the log knows of none: above what an index holds that a lost log has filled. */
  readonly firstEpoch?: number;
}

/** What outlives one connection. */
export interface Ownership {
  /** Our fencing number; undefined until we have taken the source over. */
  instance: number | undefined;
  /** Server process of our last stream, which may linger after a broken connection. */
  lastBackendPid: number | undefined;
}

/** What snapshot and stream of one connection share. */
export interface SourceContext {
  readonly config: PostgresSourceConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tables: readonly CapturedTable[];
  readonly types: ColumnTypes;
  readonly lanes: Lanes;
  readonly progress: SourceProgress;
}

/**
 * The state of the source as the log has it. Records and the state that covers them are appended in one call; only then does the
 * state here change.
 */
export class SourceProgress {
  private readonly log: Log;
  private readonly source: string;
  private current: SourceState;

  constructor(log: Log, source: string, state: SourceState) {
    this.log = log;
    this.source = source;
    this.current = state;
  }

  get state(): SourceState {
    return this.current;
  }

  /**
   * Appends records and then, where it changes, the state: an append can be cut, and a state that is ahead of its records would lose them.
   * Durable when it resolves. @throws what `Log.append` throws
   */
  async append(records: readonly AppendRecord[], change: Partial<SourceState>, signal: AbortSignal): Promise<void> {
    const state = { ...this.current, ...change };
    if (records.length > 0) await this.log.append(records, signal);
    if (Object.keys(change).length > 0) await this.log.append([stateRecord(this.source, state)], signal);
    this.current = state;
  }
}

export const DEFAULT_SNAPSHOT_BATCH_ROWS = 1_000;
export const DEFAULT_MAX_IN_FLIGHT_BYTES = 16_777_216;
export const DEFAULT_HEARTBEAT_MS = 10_000;
