import { eventLoopTurn, type Clock } from '../../../runtime/clock.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import { whenFree } from '../../when-free.ts';

/** Pages of the full-text index that one step merges: a few milliseconds. */
const STEP_PAGES = 200;

/** The segments of the full-text index. A removed document's words stay in theirs, marked, until it is merged with others. */
export class WordSegments {
  readonly #db: Sqlite;
  readonly #clock: Clock;
  readonly #merge: Statement<object>;
  readonly #changes: Statement<{ changes: bigint }>;

  constructor(db: Sqlite, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#merge = db.prepare(`INSERT INTO words (words, rank) VALUES ('merge', ?)`);
    this.#changes = db.prepare('SELECT total_changes() AS changes');
  }

  /** Merges all segments into one, in steps, and empties the write-ahead log. */
  async expunge(signal?: AbortSignal): Promise<void> {
    // A negative number starts the merge of everything, positive ones go on with it; fewer than two changes: nothing was left to do.
    for (let pages = -STEP_PAGES; ; pages = STEP_PAGES) {
      signal?.throwIfAborted();
      if ((await this.#step(pages)) < 2n) break;
      if (!this.#db.isMemory) await eventLoopTurn();
    }
    this.#db.checkpoint();
  }

  #step(pages: number): Promise<bigint> {
    return whenFree(this.#clock, () =>
      this.#db.transaction(() => {
        const before = this.#changes.get()?.changes ?? 0n;
        this.#merge.run(pages);
        return (this.#changes.get()?.changes ?? 0n) - before;
      }),
    );
  }
}
