import type { SourceVersion } from '../../../schemas/version.ts';
import type { AdvancePosition, SourceProgress, WriteOutcome } from '../document-store.ts';
import { comparePlaces, positionFault, reportLane, type LaneRow, type Level, type Place } from '../lane-positions.ts';
import { stale } from './decide-writes.ts';
import { positionsId, SOURCES_ID, type StateRecords } from './state-records.ts';

/** Positions of one source as they are stored; 64-bit integers are decimal strings. */
interface PositionsState {
  readonly levels: Partial<Readonly<Record<Level, LevelState>>>;
}

interface LevelState {
  readonly lanes: readonly Record<keyof LaneRow, string>[];
  readonly place?: Record<keyof Place, string>;
}

interface SourcesState {
  readonly sources: readonly string[];
}

/** Both places of a source. */
export type SourcePlaces = Pick<SourceProgress, 'searchable' | 'complete'>;

/** How far each source is, by what its lanes have reported. */
export class Positions {
  readonly #records: StateRecords;
  /** Sources that are known to be listed. They stay so. */
  readonly #listed = new Set<string>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(records: StateRecords) {
    this.#records = records;
  }

  /**
   * Stores reports of lanes; monotone for each lane and level. What they claim has to be searchable before.
   * @returns outcomes in the order of the reports.
   */
  async advance(writes: readonly AdvancePosition[], signal?: AbortSignal): Promise<WriteOutcome[]> {
    const outcomes = writes.map((write): WriteOutcome => {
      const error = positionFault(write);
      return error ? { kind: 'refused', error } : stale(0n as SourceVersion);
    });
    for (const source of new Set(writes.map((write) => write.source))) {
      const places = writes.flatMap((write, i) =>
        write.source === source && outcomes[i]?.kind !== 'refused' ? [{ write, i }] : [],
      );
      if (places.length === 0) continue;
      await this.#list(source, signal);
      const moved = await this.#inTurn(source, () =>
        this.#report(
          source,
          places.map(({ write }) => write),
          signal,
        ),
      );
      places.forEach(({ i }, at) => {
        if (moved[at]) outcomes[i] = { kind: 'applied' };
      });
    }
    return outcomes;
  }

  /** Every source that has reported, with its places. */
  async all(signal?: AbortSignal): Promise<Map<string, SourcePlaces>> {
    const known = [...this.#listed];
    const [listed, ...states] = await this.#records.read([SOURCES_ID, ...known.map(positionsId)], signal);
    const sources = (listed as SourcesState | undefined)?.sources ?? [];
    const fresh = sources.filter((source) => !this.#listed.has(source));
    const more = fresh.length === 0 ? [] : await this.#records.read(fresh.map(positionsId), signal);
    for (const source of sources) this.#listed.add(source);
    const found = [...states, ...more] as (PositionsState | undefined)[];
    return new Map([...known, ...fresh].map((source, i) => [source, placesOf(found[i])]));
  }

  /** A source is listed before it has a position, so that no position is ever overlooked. */
  async #list(source: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#listed.has(source)) return;
    await this.#records.change<SourcesState>(
      SOURCES_ID,
      (state) => (state?.sources.includes(source) ? undefined : { sources: [...(state?.sources ?? []), source] }),
      signal,
    );
    this.#listed.add(source);
  }

  /** One change at a time from this process: its own ones would only conflict with each other. */
  async #inTurn<T>(source: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(source) ?? Promise.resolve()).then(work);
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(source, ended);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(source) === ended) this.#turns.delete(source);
    }
  }

  /** @returns for each report whether it has moved its lane. */
  async #report(source: string, writes: readonly AdvancePosition[], signal?: AbortSignal): Promise<readonly boolean[]> {
    let moved: readonly boolean[] = [];
    let tried: readonly boolean[] = [];
    const changed = await this.#records.change<PositionsState>(
      positionsId(source),
      (state) => {
        const next = reported(state, writes);
        // The last one that was sent is the one that was stored, if any was.
        if (next.moved.includes(true)) tried = next.moved;
        return next.moved.includes(true) ? next.state : undefined;
      },
      signal,
    );
    if (changed) moved = tried;
    return writes.map((_, i) => moved[i] ?? false);
  }
}

function reported(
  stored: PositionsState | undefined,
  writes: readonly AdvancePosition[],
): { readonly state: PositionsState; readonly moved: readonly boolean[] } {
  let levels = stored?.levels ?? {};
  const moved = writes.map((write) => {
    const level = levels[write.level];
    const report = reportLane((level?.lanes ?? []).map(laneRow), write);
    if (!report) return false;
    const former = level?.place && place(level.place);
    const { least } = report;
    // The place of a source never goes down, also when its lanes change.
    const now = least && (!former || comparePlaces(least, former) > 0) ? least : former;
    const next: LevelState = { lanes: report.rows.map(texts), ...(now && { place: texts(placeOnly(now)) }) };
    levels = { ...levels, [write.level]: next };
    return true;
  });
  return { state: { levels }, moved };
}

function placesOf(state: PositionsState | undefined): SourcePlaces {
  return { searchable: shown(state?.levels.searchable), complete: shown(state?.levels.complete) };
}

function shown(level: LevelState | undefined): SourceProgress['searchable'] {
  const stored = level?.place;
  if (!stored) return undefined;
  return { position: stored.position, committedAt: Number(stored.committedAt), epoch: Number(stored.epoch) };
}

function placeOnly({ epoch, position, committedAt }: Place): Place {
  return { epoch, position, committedAt };
}

function place(stored: Record<keyof Place, string>): Place {
  return { epoch: BigInt(stored.epoch), position: stored.position, committedAt: BigInt(stored.committedAt) };
}

function laneRow(stored: Record<keyof LaneRow, string>): LaneRow {
  const { lane, lanes, first, last } = stored;
  return { ...place(stored), lane, lanes: BigInt(lanes), first: BigInt(first), last: BigInt(last) };
}

function texts<T extends object>(row: T): Record<keyof T, string> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)])) as Record<
    keyof T,
    string
  >;
}
