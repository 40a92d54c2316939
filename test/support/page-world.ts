import type pg from 'pg';
import { below } from '../../load-tests/simulator/random.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { systemClock, type Random } from '../../runtime/clock.ts';
import type { LiveProduct } from './live-product.ts';
import { bodyOf, PageLedger } from './page-ledger.ts';
import { createPages, SOURCE, writeMark, writePages } from './page-load.ts';
import { lookUp, readPages } from './page-readers.ts';
import type { TestDatabase } from './postgres.ts';

/** How much is written and read at a time. */
export interface PageLoad {
  readonly writers: number;
  readonly readers: number;
  /** Longest pause of a writer between two transactions, and of a reader between two requests, ms. */
  readonly writerPauseMs: number;
  readonly readerPauseMs: number;
}

/** As much as one process alone can take on two cores. */
const FULL_LOAD: PageLoad = { writers: 4, readers: 2, writerPauseMs: 25, readerPauseMs: 0 };
/** What a deployment whose engines share two cores with it keeps up with. */
export const SHARED_LOAD: PageLoad = { writers: 2, readers: 2, writerPauseMs: 250, readerPauseMs: 100 };
/** The longest wait that a search may ask for, ms. */
const MAX_WAIT_MS = 60_000;
/** How often a change that is not found yet is asked for again, ms. */
const ASK_AGAIN_MS = 10;
/** How long a product that is stuck may take to say how it is, ms. */
const EXPLAIN_MS = 5_000;

export interface PageWorldOptions {
  readonly database: TestDatabase;
  readonly random: Random;
  /** Whom readers and checks ask: whatever runs at the moment. */
  readonly asked: () => LiveProduct;
  /** A product that takes longer to show a change is stuck, ms. */
  readonly stuckMs: number;
  /** A product that takes longer to show everything is stuck, ms. */
  readonly caughtUpMs: number;
  /** Full when absent. */
  readonly load?: PageLoad;
  /** What else to say of a product that is stuck. */
  readonly explain?: () => string;
  /** Whether a reader must put up with this status, as with 503 while an engine is away. Of none but 200 and 404 unless told. */
  readonly isFair?: (status: number) => boolean;
}

/** Pages with their writers, and readers of the product that serves them; every observation is judged. Disposing ends the load. */
export class PageWorld implements AsyncDisposable {
  readonly ledger = new PageLedger();
  readonly #options: PageWorldOptions;
  readonly #marker: pg.Client;
  #done = new AbortController();
  #work: Promise<void>[] = [];
  /** Rejects when a writer or a reader has failed; never resolves. */
  #failed: Promise<never> = new Promise(() => undefined);

  private constructor(options: PageWorldOptions, marker: pg.Client) {
    this.#options = options;
    this.#marker = marker;
  }

  /** Makes the table and its first pages; there is no load yet. */
  static async open(options: PageWorldOptions): Promise<PageWorld> {
    const world = new PageWorld(options, await options.database.connect());
    await createPages(options.database, world.ledger);
    return world;
  }

  /** Starts writers and readers. */
  load(): void {
    const { database, random, asked, isFair, load = FULL_LOAD } = this.#options;
    const { writers, readers, writerPauseMs, readerPauseMs } = load;
    const branch = (): Random => seededRandom(below(random, 2 ** 31));
    this.#done = new AbortController();
    const { signal } = this.#done;
    this.#work = [
      ...Array.from({ length: writers }, () => writePages(database, this.ledger, branch(), signal, writerPauseMs)),
      ...Array.from({ length: readers }, () =>
        readPages(asked, this.ledger, branch(), signal, { ...(isFair && { isFair }), maxPauseMs: readerPauseMs }),
      ),
    ];
    this.#failed = Promise.all(this.#work).then(() => new Promise<never>(() => undefined));
    this.#failed.catch(() => undefined); // raced against
  }

  /** Ends writers and readers. @throws what one of them has failed with. */
  async rest(): Promise<void> {
    this.#done.abort();
    await Promise.all(this.#work);
  }

  /** Commits a page and resolves when it is found; from then on, nothing older may be served. */
  async untilFound(id: string): Promise<void> {
    await Promise.race([this.#found(id), this.#failed]);
  }

  /** Ends the load, waits until the index has everything, and compares every page: what differs from the table, in words. */
  async compare(): Promise<string[]> {
    await this.rest();
    const { database, caughtUpMs } = this.#options;
    const product = this.#options.asked();
    const stuck = await this.#complete(product, caughtUpMs);
    if (stuck !== undefined) return [await this.#stuck(stuck)];
    const found: string[] = [];
    this.ledger.requireAtLeast(this.ledger.commits());
    const rows = await database.sql<{ id: string; seq: string; revision: number }>(
      'SELECT id, seq, revision FROM pages',
    );
    const expected = new Map(rows.map((row) => [row.id, row]));
    for (const id of this.ledger.ids()) {
      const row = expected.get(id);
      const served = await lookUp(product, this.ledger, id);
      if (!row && served) found.push(`${id} is served and should be gone`);
      else if (row && !served) found.push(`${id} is missing`);
      else if (row && served && (served.seq !== Number(row.seq) || served.text !== bodyOf(row.revision)))
        found.push(`${id} has seq ${served.seq} in the index and ${row.seq} in the table`);
    }
    return [...found, ...(await deadLetters(product))];
  }

  summary(): string {
    const { counts, violations } = this.ledger;
    const of = (kind: string): number => violations.filter((one) => one.kind === kind).length;
    return (
      `${counts.transactions} transactions (${counts.changes} changes), ${counts.rollbacks} rolled back, ` +
      `${counts.served} pages served, ${counts.gone} not there; lost ${of('lost')}, resurrected ${of('resurrected')}, ` +
      `regressed ${of('regressed')}, torn ${of('torn')}, phantom ${of('phantom')}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#done.abort();
    await Promise.allSettled(this.#work);
  }

  /** Waits until the index has everything, vectors included. @returns what keeps it from that, when it takes too long. */
  async #complete(product: LiveProduct, withinMs: number): Promise<string | undefined> {
    const deadlineMs = systemClock.monotonicMs() + withinMs;
    const after = await position(this.#marker);
    for (;;) {
      const { status, body } = await product.search({
        query: 'end',
        after: { [SOURCE]: after },
        waitFor: 'complete',
        waitMs: Math.min(withinMs, MAX_WAIT_MS),
      });
      // Counts may be a moment older than positions.
      if (status === 200 && body.coverage.dense === 1) return undefined;
      if (systemClock.monotonicMs() > deadlineMs)
        return `the index did not catch up: ${status} ${JSON.stringify(body)}`;
      await systemClock.sleep(ASK_AGAIN_MS);
    }
  }

  async #stuck(what: string): Promise<string> {
    const { asked, explain } = this.#options;
    const freshness = await asked()
      .get('/v1/freshness', AbortSignal.timeout(EXPLAIN_MS))
      .then(({ body }) => JSON.stringify(body))
      .catch(String);
    return [what, `at ${await position(this.#marker)}, the product says ${freshness}`, explain?.()].join('\n');
  }

  async #found(id: string): Promise<void> {
    const { asked, stuckMs } = this.#options;
    const deadline = AbortSignal.timeout(stuckMs);
    await writeMark(this.#marker, this.ledger, id);
    const commits = this.ledger.commits();
    const after = await position(this.#marker);
    for (;;) {
      const product = asked();
      try {
        const { status, body } = await product.search(
          {
            query: 'revision',
            k: 1,
            mode: 'lexical',
            after: { [SOURCE]: after },
            waitMs: Math.min(stuckMs, MAX_WAIT_MS),
          },
          deadline,
        );
        if (status === 200) break;
        throw new Error(`search answered ${status}: ${JSON.stringify(body)}`);
      } catch (cause) {
        if (deadline.aborted) throw new Error(await this.#stuck(`${id} was not found in ${stuckMs} ms`), { cause });
        if (product.hasEnded) throw new Error(`the product has ended: ${product.stderr}`, { cause });
        await systemClock.sleep(ASK_AGAIN_MS, deadline).catch(() => undefined);
      }
    }
    this.ledger.requireAtLeast(commits);
    if (!(await lookUp(asked(), this.ledger, id)))
      this.ledger.violate('lost', `${id} is not there although its position is reached`);
  }
}

/** What a list of times comes to, in words. */
export function spread(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  return `min ${at(0)}, median ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} ms (${sorted.length} starts)`;
}

async function position(client: Pick<pg.Client, 'query'>): Promise<string> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return rows[0]?.lsn ?? '';
}

/** A record that was set aside is a page that is not what the table says. */
async function deadLetters(product: LiveProduct): Promise<string[]> {
  const { body } = await product.get<{ failures: readonly { code: string; reason?: string }[] }>(
    '/v1/admin/failures?state=open',
  );
  return body.failures.map((letter) => `dead letter: ${JSON.stringify(letter)}`);
}
