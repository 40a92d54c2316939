import { DocumentRefused } from '../../runtime/errors.ts';
import { parseLsn } from '../../schemas/lsn.ts';
import type { AdvancePosition } from './document-store.ts';

/** Up to where a position counts: searchable by words, or complete with vectors. */
export type Level = AdvancePosition['level'];

/** A place in the history of a source. */
export interface Place {
  readonly epoch: bigint;
  readonly position: string;
  /** ms since the epoch */
  readonly committedAt: bigint;
}

/** The last report of one lane. `first` and `last` count the reports of the source, over all of its lanes. */
export interface LaneRow extends Place {
  readonly lane: string;
  readonly lanes: bigint;
  readonly first: bigint;
  readonly last: bigint;
}

/** A position as a number: an LSN, or decimal digits. Undefined when it is neither. */
export function positionNumber(position: string): bigint | undefined {
  return parseLsn(position) ?? (/^\d{1,40}$/.test(position) ? BigInt(position) : undefined);
}

/** Why no store could compare a position with another; undefined when it can. */
export function positionFault({ source, position }: AdvancePosition): DocumentRefused | undefined {
  if (positionNumber(position) !== undefined) return undefined;
  return new DocumentRefused(`a position of source ${source} is neither an LSN nor a number`);
}

/** Positive when `a` is later: first by epoch, then by position as a number, never as text (`F/FFFFFFFF` is before `10/0`). */
export function comparePlaces(a: Pick<Place, 'epoch' | 'position'>, b: Pick<Place, 'epoch' | 'position'>): number {
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

/**
 * Takes a lane's report: the rows after it, and the place of the source where that is certain. Undefined when the report is not later
 * than the lane's last one: nothing moves.
 */
export function reportLane(
  rows: readonly LaneRow[],
  write: AdvancePosition,
): { readonly row: LaneRow; readonly rows: readonly LaneRow[]; readonly least: Place | undefined } | undefined {
  const { lane, position, committedAt } = write;
  const former = rows.find((row) => row.lane === lane);
  const place: Place = { epoch: BigInt(write.epoch), position, committedAt: BigInt(Math.trunc(committedAt)) };
  if (former && comparePlaces(place, former) <= 0) return undefined;
  const last = rows.reduce((newest, row) => (row.last > newest ? row.last : newest), 0n) + 1n;
  const row: LaneRow = { lane, lanes: BigInt(write.lanes), ...place, first: former?.first ?? last, last };
  const after = [...rows.filter((other) => other !== former), row];
  const least = decidingLanes(after)?.reduce((a, b) => (comparePlaces(a, b) <= 0 ? a : b));
  return { row, rows: after, least };
}
