import type { SourceVersion } from '../../../schemas/version.ts';
import type { RemoveBelowVersion, WriteOutcome } from '../document-store.ts';
import { stale } from './decide-writes.ts';
import type { DocumentBody } from './document-body.ts';
import { askFloor, parseTableKey, sweptFloor, tableKey, type FloorsState, type TableKey } from './floors.ts';
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
    let asked: ReturnType<typeof askFloor> | undefined;
    let stored: FloorsState | undefined;
    const changed = await this.#records.change<FloorsState>(
      FLOORS_ID,
      (state) => {
        stored = state;
        asked = askFloor(state, write);
        return asked.state;
      },
      signal,
    );
    const key = tableKey(write.source, write.table);
    if (changed) {
      // Of several attempts the last one that was sent is the one that was stored.
      if (answerOf(asked) !== 'waiting') await this.#sweep(key, write.version, signal);
      return { kind: 'applied' };
    }
    // A former call may have been broken off between the tombstone and the end of the sweep.
    const floor = floorOf(stored, key);
    const version = BigInt(floor?.version ?? 0) as SourceVersion;
    const removed = floor && !floor.isSwept ? await this.#sweep(key, version, signal) : 0;
    return removed > 0 ? { kind: 'applied' } : stale(version);
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

// TypeScript takes a variable that only a callback sets for never set.
const answerOf = (asked: ReturnType<typeof askFloor> | undefined): string => asked?.answer ?? 'stale';
const floorOf = (stored: FloorsState | undefined, key: TableKey): FloorsState[string] | undefined => stored?.[key];
