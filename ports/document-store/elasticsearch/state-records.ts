import { FreshetError, StorageFailed, StoreUnavailable } from '../../../runtime/errors.ts';
import { retryDelayMs } from '../../../runtime/retry.ts';
import { classifyStatus } from './classify.ts';
import type { Connection } from './connection.ts';
import { multiGet, type Gotten } from './multi-get.ts';

/*
 * Records of the index about itself: range tombstones, sources, positions. They lie among the documents, so that a snapshot, a restore or
 * a removal of the index takes them along: a position can never outlive the documents that it speaks of. Their ids begin with `!`, which
 * no document id does, and they have no field that a search looks at.
 */

/** Range tombstones of all tables. */
export const FLOORS_ID = '!floors';
/** Names of the sources that have reported a position. */
export const SOURCES_ID = '!sources';

/** The record of one source's positions. */
export function positionsId(source: string): string {
  return `!positions/${encodeURIComponent(source.replace(/\p{Surrogate}/gu, '\ufffd'))}`;
}

/** The `_source` of a record. */
export interface StateSource {
  /** JSON */
  readonly state: string;
  /** Left by whoever wrote it last. */
  readonly write: string;
}

/** What a record holds; undefined while there is none. */
export function parseState<T>(gotten: Gotten<StateSource> | undefined): T | undefined {
  const state = gotten?.found ? gotten._source?.state : undefined;
  return state === undefined ? undefined : (JSON.parse(state) as T);
}

/** Attempts while others change the same record, or Elasticsearch is not available. */
const MAX_ATTEMPTS = 64;
const MAX_UNAVAILABLE = 8;
const DELAYS = { minDelayMs: 5, maxDelayMs: 5_000 };

/** Reads and changes records, each change on the condition that the record still is what it was read as. */
export class StateRecords {
  readonly #connection: Connection;
  readonly #index: string;
  readonly #marks: () => string;

  constructor(connection: Connection, index: string, marks: () => string) {
    this.#connection = connection;
    this.#index = index;
    this.#marks = marks;
  }

  /** Records by id, as of now: every change that has resolved is in them. */
  async read(ids: readonly string[], signal?: AbortSignal): Promise<unknown[]> {
    const wanted = ids.map((_id) => ({ _id }));
    const docs = await multiGet<StateSource>(this.#connection, this.#index, wanted, {}, signal);
    return docs.map((gotten) => parseState(gotten));
  }

  /**
   * Changes a record: `change` makes the next state of the present one, or undefined where there is nothing to change. It may be called
   * several times and must be a function of its argument. Durable when it resolves.
   * @returns whether this call has changed it, also when the reply to the write that did was lost.
   */
  async change<T extends object>(
    id: string,
    change: (state: T | undefined) => T | undefined,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const marks = new Set<string>();
    for (let attempt = 1, unavailable = 0; ; attempt++) {
      const [gotten] = await multiGet<StateSource>(this.#connection, this.#index, [{ _id: id }], {}, signal);
      if (gotten?._source && marks.has(gotten._source.write)) return true;
      const next = change(parseState<T>(gotten));
      if (!next) return false;
      const mark = this.#marks();
      marks.add(mark);
      try {
        if (await this.#put(id, { state: JSON.stringify(next), write: mark }, gotten, signal)) return true;
        if (attempt >= MAX_ATTEMPTS)
          throw new StoreUnavailable('A record of the index changed as often as it was read.');
      } catch (error) {
        if (!(error instanceof FreshetError) || error.fate !== 'retry' || ++unavailable >= MAX_UNAVAILABLE) throw error;
        this.#connection.countRetry('write a record of the index', error);
      }
      const delayMs = retryDelayMs(Math.min(attempt, 10), { ...DELAYS, random: this.#connection.random });
      await this.#connection.clock.sleep(delayMs, signal);
    }
  }

  /** @returns false when the record is not what it was read as. */
  async #put(
    id: string,
    source: StateSource,
    former: Gotten<StateSource> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { _seq_no: seqNo = 0, _primary_term: primaryTerm = 0 } = former ?? {};
    const action = former?.found
      ? { index: { _id: id, if_seq_no: seqNo, if_primary_term: primaryTerm } }
      : { create: { _id: id } };
    // A bulk request, because its items tell a conflict from a failure without an exception.
    const { items } = await this.#connection.once<{
      readonly items: readonly Readonly<
        Record<string, { status: number; error?: { type?: string; reason?: string } }>
      >[];
    }>(
      {
        method: 'POST',
        path: `/${this.#index}/_bulk`,
        query: { timeout: '20s' },
        body: [JSON.stringify(action), JSON.stringify(source)],
      },
      signal,
    );
    const result = Object.values(items[0] ?? {})[0];
    if (!result) throw new StorageFailed('Elasticsearch answered a write with nothing.');
    if (result.status === 409) return false;
    if (result.status >= 300) throw classifyStatus(result.status, result.error ?? {});
    return true;
  }
}
