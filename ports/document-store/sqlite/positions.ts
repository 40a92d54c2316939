import { parseLsn } from '../../../schemas/lsn.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import type { AdvancePosition, SourceProgress } from '../document-store.ts';

interface LaneRow {
  readonly lane: string;
  readonly lanes: bigint;
  readonly epoch: bigint;
  readonly position: string;
  readonly committed_at: bigint;
  readonly first: bigint;
  readonly last: bigint;
}

type Place = Pick<LaneRow, 'epoch' | 'position' | 'committed_at'>;
/** Up to where a position counts: searchable by words, or complete with vectors. */
export type Level = AdvancePosition['level'];

/** A position as a number: an LSN, or decimal digits. Undefined when it is neither. */
export function positionNumber(position: string): bigint | undefined {
  return parseLsn(position) ?? (/^\d{1,40}$/.test(position) ? BigInt(position) : undefined);
}

/** Positive when `a` is later: first by epoch, then by position as a number, never as text (`F/FFFFFFFF` is before `10/0`). */
function comparePlaces(a: Pick<Place, 'epoch' | 'position'>, b: Pick<Place, 'epoch' | 'position'>): number {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? 1 : -1;
  const difference = (positionNumber(a.position) ?? 0n) - (positionNumber(b.position) ?? 0n);
  return difference === 0n ? 0 : difference > 0n ? 1 : -1;
}

/**
 * The rows that decide where a source is: one for each of its lanes; undefined while that is not certain.
 *
 * Lanes come and go (a table is added, a topic gets more partitions), and a lane that is gone would hold the source back for ever. The
 * latest report says how many there are. Of more rows than that, those count which have reported since the newest lane appeared.
 */
export function decidingLanes(rows: readonly LaneRow[]): readonly LaneRow[] | undefined {
  const latest = rows.reduce<LaneRow | undefined>(
    (best, row) => (best && comparePlaces(best, row) >= 0 ? best : row),
    undefined,
  );
  if (!latest) return undefined;
  const count = Number(latest.lanes);
  const same = rows.filter((row) => row.lanes === latest.lanes);
  if (same.length <= count) return same.length === count ? same : undefined;
  const change = same.reduce((newest, row) => (row.first > newest ? row.first : newest), 0n);
  const live = same.filter((row) => row.last >= change);
  return live.length === count ? live : undefined;
}

/** How far each source is, by what its lanes have reported. */
export class Positions {
  readonly #lanes: Statement<LaneRow>;
  readonly #upsertLane: Statement<object>;
  readonly #position: Statement<Place>;
  readonly #positions: Statement<Place & { readonly source: string; readonly level: string }>;
  readonly #upsertPosition: Statement<object>;

  constructor(db: Sqlite) {
    this.#lanes = db.prepare(
      'SELECT lane, lanes, epoch, position, committed_at, first, last FROM lanes WHERE source = ? AND level = ?',
    );
    this.#upsertLane = db.prepare(
      `INSERT OR REPLACE INTO lanes (source, level, lane, lanes, epoch, position, committed_at, first, last)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#position = db.prepare('SELECT epoch, position, committed_at FROM positions WHERE source = ? AND level = ?');
    this.#positions = db.prepare('SELECT source, level, epoch, position, committed_at FROM positions');
    this.#upsertPosition = db.prepare(
      'INSERT OR REPLACE INTO positions (source, level, epoch, position, committed_at) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /** @returns whether the lane has moved; false for a report that is not later than the lane's last. */
  advance(write: AdvancePosition): boolean {
    const { source, level, lane, position, committedAt } = write;
    const rows = this.#lanes.all(source, level);
    const former = rows.find((row) => row.lane === lane);
    const report = { epoch: BigInt(write.epoch), position, committed_at: BigInt(Math.trunc(committedAt)) };
    if (former && comparePlaces(report, former) <= 0) return false;
    const last = rows.reduce((newest, row) => (row.last > newest ? row.last : newest), 0n) + 1n;
    const row: LaneRow = { lane, lanes: BigInt(write.lanes), ...report, first: former?.first ?? last, last };
    this.#upsertLane.run(source, level, lane, row.lanes, row.epoch, position, row.committed_at, row.first, last);
    this.#move(source, level, [...rows.filter((other) => other !== former), row]);
    return true;
  }

  all(): Map<string, Partial<Record<Level, SourceProgress['searchable']>>> {
    const bySource = new Map<string, Partial<Record<Level, SourceProgress['searchable']>>>();
    for (const { source, level, epoch, position, committed_at: committedAt } of this.#positions.all()) {
      const levels = bySource.get(source) ?? {};
      levels[level as Level] = { position, committedAt: Number(committedAt), epoch: Number(epoch) };
      bySource.set(source, levels);
    }
    return bySource;
  }

  #move(source: string, level: Level, rows: readonly LaneRow[]): void {
    const least = decidingLanes(rows)?.reduce((a, b) => (comparePlaces(a, b) <= 0 ? a : b));
    if (!least) return;
    const stored = this.#position.get(source, level);
    if (stored && comparePlaces(least, stored) <= 0) return;
    this.#upsertPosition.run(source, level, least.epoch, least.position, least.committed_at);
  }
}
