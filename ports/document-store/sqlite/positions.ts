import type { Sqlite, Statement } from '../../sqlite.ts';
import type { AdvancePosition, SourceProgress } from '../document-store.ts';
import { comparePlaces, reportLane, type LaneRow, type Level, type Place } from '../lane-positions.ts';

/** How far each source is, by what its lanes have reported. */
export class Positions {
  readonly #lanes: Statement<LaneRow>;
  readonly #upsertLane: Statement<object>;
  readonly #position: Statement<Place>;
  readonly #positions: Statement<Place & { readonly source: string; readonly level: string }>;
  readonly #upsertPosition: Statement<object>;

  constructor(db: Sqlite) {
    this.#lanes = db.prepare(
      'SELECT lane, lanes, epoch, position, committed_at AS committedAt, first, last FROM lanes WHERE source = ? AND level = ?',
    );
    this.#upsertLane = db.prepare(
      `INSERT OR REPLACE INTO lanes (source, level, lane, lanes, epoch, position, committed_at, first, last)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#position = db.prepare(
      'SELECT epoch, position, committed_at AS committedAt FROM positions WHERE source = ? AND level = ?',
    );
    this.#positions = db.prepare('SELECT source, level, epoch, position, committed_at AS committedAt FROM positions');
    this.#upsertPosition = db.prepare(
      'INSERT OR REPLACE INTO positions (source, level, epoch, position, committed_at) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /** @returns whether the lane has moved; false for a report that is not later than the lane's last. */
  advance(write: AdvancePosition): boolean {
    const { source, level } = write;
    const reported = reportLane(this.#lanes.all(source, level), write);
    if (!reported) return false;
    const { lane, lanes, epoch, position, committedAt, first, last } = reported.row;
    this.#upsertLane.run(source, level, lane, lanes, epoch, position, committedAt, first, last);
    this.#move(source, level, reported.least);
    return true;
  }

  all(): Map<string, Partial<Record<Level, SourceProgress['searchable']>>> {
    const bySource = new Map<string, Partial<Record<Level, SourceProgress['searchable']>>>();
    for (const { source, level, epoch, position, committedAt } of this.#positions.all()) {
      const levels = bySource.get(source) ?? {};
      levels[level as Level] = { position, committedAt: Number(committedAt), epoch: Number(epoch) };
      bySource.set(source, levels);
    }
    return bySource;
  }

  #move(source: string, level: Level, least: Place | undefined): void {
    if (!least) return;
    const stored = this.#position.get(source, level);
    if (stored && comparePlaces(least, stored) <= 0) return;
    this.#upsertPosition.run(source, level, least.epoch, least.position, least.committedAt);
  }
}
