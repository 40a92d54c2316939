import type { Log, LogRecord, PartitionState } from '../../ports/log/log.ts';
import { lagOf, nextOf } from '../../ports/log/partitions.ts';
import type { Clock } from '../../runtime/clock.ts';
import { BACKFILL_HEADER, DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import { isSnapshotVersion } from '../../schemas/version.ts';
import { versionOf } from '../records.ts';
import { Blocked, emit, type Stage } from '../stage.ts';

export interface PaceOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Names of the groups that fill an index begin so. */
  readonly indexGroup: string;
}

/** How often the groups are asked how far they are, ms. */
const LOOK_EVERY_MS = 100;
/** What the index has in front of it while rows of a backfill may pass: as much as it does in this time, s, and at least so many records. */
const AHEAD_S = 1.5;
const MIN_AHEAD_RECORDS = 512;
/** Weight of the newest look in the running estimate of the index's speed. */
const SMOOTHING = 0.2;
/** An index that has done nothing for so long is away; the log keeps documents for ever and changes for a time, so rows pass, ms. */
const AWAY_MS = 30_000;

/**
 * Keeps rows of a backfill in their source topics while the index is busy: behind them, in `freshet.documents`, live changes would wait for
 * all of them (G14). Emits every record it is given.
 */
export function paceBackfill(options: PaceOptions): Stage<LogRecord, LogRecord> {
  const backlog = new Backlog(options);
  return {
    name: 'pace-backfill',
    async run(records, signal) {
      const index = records.findIndex(isBackfill);
      if (index >= 0 && (await backlog.isFull(signal))) throw new Blocked(index);
      return records.map((record) => emit(record));
    },
  };
}

/** Whether a record is a row that was read, not a change. */
function isBackfill(record: LogRecord): boolean {
  if (record.headers[BACKFILL_HEADER] !== undefined) return true;
  const version = versionOf(record);
  return version !== undefined && isSnapshotVersion(version);
}

/** What stands between the documents and the index that is furthest. */
class Backlog {
  readonly #options: PaceOptions;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isFull = false;
  /** By group: what it had done at the last look. */
  #done = new Map<string, number>();
  #perSecond = 0;
  #movedMs: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#movedMs = options.clock.monotonicMs();
  }

  async isFull(signal: AbortSignal): Promise<boolean> {
    const now = this.#options.clock.monotonicMs();
    const sinceMs = now - this.#lookedMs;
    if (sinceMs < LOOK_EVERY_MS) return this.#isFull;
    this.#lookedMs = now;
    const partitions = await this.#options.log.describe([DOCUMENTS_TOPIC], signal);
    const groups = this.#groupsOf(partitions);
    const [furthest] = groups.toSorted((a, b) => a.lag - b.lag);
    const moved = Math.max(0, ...groups.map(({ name, done }) => done - (this.#done.get(name) ?? done)));
    this.#done = new Map(groups.map(({ name, done }) => [name, done]));
    if (moved > 0) this.#movedMs = now;
    if (Number.isFinite(sinceMs))
      this.#perSecond = (1 - SMOOTHING) * this.#perSecond + (SMOOTHING * 1000 * moved) / sinceMs;
    const isAway = now - this.#movedMs > AWAY_MS;
    const ahead = Math.max(MIN_AHEAD_RECORDS, AHEAD_S * this.#perSecond);
    this.#isFull = furthest !== undefined && !isAway && furthest.lag > ahead;
    return this.#isFull;
  }

  #groupsOf(partitions: readonly PartitionState[]): { name: string; lag: number; done: number }[] {
    const names = new Set(partitions.flatMap(({ groups }) => Object.keys(groups)));
    return [...names]
      .filter((name) => name.startsWith(this.#options.indexGroup))
      .map((name) => {
        return {
          name,
          lag: partitions.reduce((sum, state) => sum + lagOf(state, name), 0),
          done: partitions.reduce((sum, state) => sum + Number(nextOf(state, name)), 0),
        };
      });
  }
}
