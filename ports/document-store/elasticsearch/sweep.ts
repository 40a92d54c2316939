import type { SourceVersion } from '../../../schemas/version.ts';
import type { RemoveBelowVersion, WriteOutcome } from '../document-store.ts';
import { stale } from './decide-writes.ts';
import type { DocumentBody } from './document-body.ts';
import {
  askFloor,
  parseTableKey,
  sweptFloor,
  tableKey,
  type FloorAnswer,
  type FloorsState,
  type TableKey,
} from './floors.ts';
import type { DocumentReads } from './read-documents.ts';
import type { Refresher } from './refresher.ts';
import type { Clause } from './clause.ts';
import { FLOORS_ID, type StateRecords } from './state-records.ts';
import type { DocumentWriter } from './write-documents.ts';

/** Documents that one step of a sweep erases. */
const STEP_DOCUMENTS = 500;

/** Carries out range tombstones. */
export class Sweep {
  readonly #records: StateRecords;
  readonly #reads: DocumentReads;
  readonly #writer: DocumentWriter;
  readonly #refresher: Refresher;

  constructor(records: StateRecords, reads: DocumentReads, writer: DocumentWriter, refresher: Refresher) {
    this.#records = records;
    this.#reads = reads;
    this.#writer = writer;
    this.#refresher = refresher;
  }

  /**
   * Takes one lane's word for a range tombstone and, when it was the last one, removes what lies below. The tombstone is durable before
   * anything is removed: from then on writers refuse what lies below it, so that what the sweep does not see cannot come after it.
   */
  async removeBelow(write: RemoveBelowVersion, signal?: AbortSignal): Promise<WriteOutcome> {
    const taken = await this.#ask(write, signal);
    const { stored } = taken;
    const key = tableKey(write.source, write.table);
    if (taken.changed) {
      if (taken.answer !== 'waiting') await this.#sweep(key, write.version, signal);
      return { kind: 'applied' };
    }
    // A former call may have been broken off between the tombstone and the end of the sweep.
    const floor = floorOf(stored, key);
    const version = BigInt(floor?.version ?? 0) as SourceVersion;
    const removed = floor && !floor.isSwept ? await this.#sweep(key, version, signal) : 0;
    return removed > 0 ? { kind: 'applied' } : stale(version);
  }

  /**
   * Stores the lane's word. Readers heed a tombstone from the moment that it takes effect, so before it does, what stands above it is made
   * searchable: a document whose older version is hidden would otherwise be gone until its newer one is refreshed.
   */
  async #ask(
    write: RemoveBelowVersion,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly changed: boolean; readonly answer: FloorAnswer; readonly stored: FloorsState | undefined }> {
    for (let isRefreshed = false; ; isRefreshed = true) {
      // Of several attempts the last one that was sent is the one that was stored.
      let answer: FloorAnswer = 'stale';
      let stored: FloorsState | undefined;
      const changed = await this.#records.change<FloorsState>(
        FLOORS_ID,
        (state) => {
          const asked = askFloor(state, write);
          ({ answer } = asked);
          stored = state;
          return answer === 'effective' && !isRefreshed ? undefined : asked.state;
        },
        signal,
      );
      if (changed || isRefreshed || (answer as FloorAnswer) !== 'effective') return { changed, answer, stored };
      await this.#refresher.run(signal);
    }
  }

  async #sweep(key: TableKey, floor: SourceVersion, signal: AbortSignal | undefined): Promise<number> {
    const { source, table } = parseTableKey(key);
    const query: Clause = {
      bool: {
        filter: [
          { term: { source } },
          { term: { table } },
          { term: { deleted: false } },
          { range: { version: { lt: String(floor) } } },
        ],
      },
    };
    await this.#refresher.run(signal);
    let removed = 0;
    for (let after: DocumentBody['id'] | undefined; ;) {
      const page = await this.#reads.page<Pick<DocumentBody, 'id'>>(query, ['id'], STEP_DOCUMENTS, after, signal);
      const ids = page.map(({ id }) => id);
      removed += await this.#writer.erase(ids, signal);
      after = ids.at(-1);
      if (ids.length < STEP_DOCUMENTS) break;
    }
    await this.#records.change<FloorsState>(FLOORS_ID, (state) => sweptFloor(state, key, floor), signal);
    return removed;
  }
}

const floorOf = (stored: FloorsState | undefined, key: TableKey): FloorsState[string] | undefined => stored?.[key];
