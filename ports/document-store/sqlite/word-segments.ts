import { eventLoopTurn, type Clock } from '../../../runtime/clock.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import { whenFree } from '../../when-free.ts';

/** Pages of the full-text index that one step merges: some milliseconds. */
const STEP_PAGES = 64;
/** Pages to merge for each passage that is written: that keeps the segments at some twenty (docs/adr/0001-sqlite-binding.md). */
const PAGES_PER_PASSAGE = 3;
/** Less than this waits for the next write: every step writes a page or two that the next one writes again. */
const MIN_PAGES = 24;

/**
 * The segments of the full-text index: every transaction adds one, and a search reads all. They are merged here, a few pages after each
 * write: FTS5 would do it by itself, within some COMMITs, and hold up the event loop and whoever waits for that write for 20 to 250 ms. A
 * removed document's words stay in their segment, marked, until it is merged with others.
 */
export class WordSegments {
  readonly #db: Sqlite;
  readonly #clock: Clock;
  readonly #merge: Statement<object>;
  readonly #changes: Statement<{ changes: bigint }>;
  #duePages = 0;

  constructor(db: Sqlite, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#merge = db.prepare(`INSERT INTO words (words, rank) VALUES ('merge', ?)`);
    this.#changes = db.prepare('SELECT total_changes() AS changes');
  }

  /** Keeps the segments few, after passages were written. The event loop runs between two steps. */
  async merge(passages: number): Promise<void> {
    this.#duePages += passages * PAGES_PER_PASSAGE;
    while (this.#duePages >= MIN_PAGES) {
      const pages = Math.min(this.#duePages, STEP_PAGES);
      this.#duePages -= pages;
      if ((await this.#step(pages)) < 2n)
        this.#duePages = 0; // there are few
      else if (!this.#db.isMemory) await eventLoopTurn();
    }
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
