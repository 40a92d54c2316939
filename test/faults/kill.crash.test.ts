import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { below, seededRandom } from '../../load-tests/simulator/random.ts';
import { systemClock, type Random } from '../../runtime/clock.ts';
import { LiveProduct } from '../support/live-product.ts';
import { bodyOf, PageLedger } from '../support/page-ledger.ts';
import { createPages, PAGES_TABLE, SOURCE, writeMark, writePages } from '../support/page-load.ts';
import { lookUp, readPages } from '../support/page-readers.ts';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';

/* The whole product as a process, killed under load. `KILLS=200` and `SEED=7` set how often and which schedule. */

const KILLS = Number(process.env['KILLS'] ?? 25);
const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
const WRITERS = 4;
const READERS = 2;
/** A product that needs longer is stuck. The goal is 3 s; how long it took is printed. */
const STUCK_MS = 15_000;
const CAUGHT_UP_MS = 60_000;
const RUN_MS = 2 * CAUGHT_UP_MS + KILLS * STUCK_MS;
/** Share of kills that come while the product starts. */
const DURING_START = 0.25;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

test(
  `nothing is lost, resurrected, regressed or torn by ${KILLS} kills at random moments under load`,
  async () => {
    say(`kill -9 x ${KILLS}, SEED=${SEED}`);
    const random = seededRandom(SEED);
    await using world = await openWorld(random);
    const listening: number[] = [];
    const times: number[] = [];
    const back = async (mark: string): Promise<void> => {
      const [listeningMs, changeMs] = await Promise.all([world.untilListening(), world.untilFirstChange(mark)]);
      listening.push(listeningMs);
      times.push(changeMs);
    };
    for (let kill = 1; kill <= KILLS; kill++) {
      // The first start reads the tables; whatever it is at, it may be killed.
      if (random() < DURING_START) await systemClock.sleep(below(random, 1_000));
      else {
        await back(`mark-${kill}`);
        await systemClock.sleep(50 + below(random, 1_000));
      }
      expect(world.product.hasEnded, world.product.stderr).toBe(false);
      await world.product.end('SIGKILL');
      world.start();
      if (kill % 25 === 0) say(`  ${kill} kills: ${world.summary()}`);
    }
    await back('mark-last');
    const differences = await world.compare();
    say(`  ${world.summary()}`);
    say(`  start to listening: ${spread(listening)}`);
    say(`  start to first new change searchable: ${spread(times)}`);
    say(`  source and index: ${differences.length} differences in ${world.ledger.ids().length} pages`);
    expect(world.ledger.violations).toEqual([]);
    expect(differences).toEqual([]);
  },
  RUN_MS,
);

test('a stop under load drains, exits with 0 and fails no query', async () => {
  const random = seededRandom(SEED);
  await using world = await openWorld(random);
  for (let stop = 1; stop <= 3; stop++) {
    await world.untilFirstChange(`mark-${stop}`);
    await systemClock.sleep(below(random, 1_000));
    const ending = await world.product.end('SIGTERM');
    expect(ending, world.product.stderr).toEqual({ code: 0, signal: null });
    expect(world.product.stderr).not.toContain('Stopped before everything was drained');
    world.start();
  }
  await world.untilFirstChange('mark-last');
  expect(await world.compare()).toEqual([]);
  expect(world.ledger.violations).toEqual([]);
});

interface World extends AsyncDisposable {
  readonly ledger: PageLedger;
  readonly product: LiveProduct;
  /** Starts the next process after the last one has ended. */
  start(): void;
  /** Resolves when the process takes requests; ms from its start. */
  untilListening(): Promise<number>;
  /** Commits a page and resolves when it is found; ms from the start of the process. From then on, nothing older may be served. */
  untilFirstChange(id: string): Promise<number>;
  /** Ends the writers and readers, waits until the index has everything, and compares every page. */
  compare(): Promise<string[]>;
  summary(): string;
}

/** A database with its writers, a product that has just been started on it, and readers of whatever product runs. */
async function openWorld(random: Random): Promise<World> {
  const database = await testDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'freshet-kill-'));
  const configFile = await writeConfig(folder, database);
  const ledger = new PageLedger();
  await createPages(database, ledger);
  const marker = await database.connect();
  const done = new AbortController();
  let startedMs = systemClock.monotonicMs();
  let product = new LiveProduct(configFile);
  const branch = (): Random => seededRandom(below(random, 2 ** 31));
  const work = [
    ...Array.from({ length: WRITERS }, () => writePages(database, ledger, branch(), done.signal)),
    ...Array.from({ length: READERS }, () => readPages(() => product, ledger, branch(), done.signal)),
  ];
  const failed = Promise.all(work).then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined); // raced against below
  const world: World = {
    ledger,
    get product() {
      return product;
    },
    start() {
      startedMs = systemClock.monotonicMs();
      product = new LiveProduct(configFile);
    },
    async untilListening() {
      await product.address;
      return systemClock.monotonicMs() - startedMs;
    },
    async untilFirstChange(id) {
      await Promise.race([firstChange(product, ledger, marker, id), failed]);
      return systemClock.monotonicMs() - startedMs;
    },
    async compare() {
      done.abort();
      await Promise.all(work);
      return differences(product, ledger, database);
    },
    summary: () => summary(ledger),
    async [Symbol.asyncDispose]() {
      done.abort();
      await product[Symbol.asyncDispose]();
      await Promise.allSettled(work);
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return world;
}

async function writeConfig(folder: string, { url, name }: TestDatabase): Promise<string> {
  const path = join(folder, 'freshet.yaml');
  const source = { name: SOURCE, kind: 'postgres', connection: url, tables: [PAGES_TABLE], slot: name };
  const config = {
    dataDir: join(folder, 'state'),
    logLevel: 'warn',
    server: { port: 0 },
    embedder: { kind: 'hash' },
    pipeline: { pii: { mode: 'off' } },
    sources: [source],
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

async function firstChange(product: LiveProduct, ledger: PageLedger, client: pg.Client, id: string): Promise<void> {
  const deadline = AbortSignal.timeout(STUCK_MS);
  await writeMark(client, ledger, id);
  const commits = ledger.commits();
  const after = await position(client);
  for (;;) {
    try {
      const { status, body } = await product.search(
        { query: 'revision', k: 1, mode: 'lexical', after: { [SOURCE]: after }, waitMs: STUCK_MS },
        deadline,
      );
      if (status === 200) break;
      throw new Error(`search answered ${status}: ${JSON.stringify(body)}`);
    } catch (cause) {
      deadline.throwIfAborted();
      if (product.hasEnded) throw new Error(`the product has ended: ${product.stderr}`, { cause });
      await systemClock.sleep(10, deadline);
    }
  }
  ledger.requireAtLeast(commits);
  if (!(await lookUp(product, ledger, id)))
    ledger.violate('lost', `${id} is not there although its position is reached`);
}

async function position(client: Pick<pg.Client, 'query'>): Promise<string> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return rows[0]?.lsn ?? '';
}

async function differences(product: LiveProduct, ledger: PageLedger, database: TestDatabase): Promise<string[]> {
  const [at] = await database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  const { status, body } = await product.search({
    query: 'end',
    after: { [SOURCE]: at?.lsn ?? '' },
    waitFor: 'complete',
    waitMs: CAUGHT_UP_MS,
  });
  if (status !== 200) return [`the index did not catch up: ${status} ${JSON.stringify(body)}`];
  const found: string[] = body.coverage.dense < 1 ? [`vectors are missing: coverage is ${body.coverage.dense}`] : [];
  ledger.requireAtLeast(ledger.commits());
  const rows = await database.sql<{ id: string; seq: string; revision: number }>('SELECT id, seq, revision FROM pages');
  const expected = new Map(rows.map((row) => [row.id, row]));
  for (const id of ledger.ids()) {
    const row = expected.get(id);
    const served = await lookUp(product, ledger, id);
    if (!row && served) found.push(`${id} is served and should be gone`);
    else if (row && !served) found.push(`${id} is missing`);
    else if (row && served && (served.seq !== Number(row.seq) || served.text !== bodyOf(row.revision)))
      found.push(`${id} has seq ${served.seq} in the index and ${row.seq} in the table`);
  }
  // A record that was set aside is a page that is not what the table says.
  const { body: letters } = await product.get<{ failures: readonly { code: string; reason?: string }[] }>(
    '/v1/admin/failures?state=open',
  );
  for (const letter of letters.failures) found.push(`dead letter: ${JSON.stringify(letter)}`);
  return found;
}

function summary({ counts, violations }: PageLedger): string {
  const of = (kind: string): number => violations.filter((one) => one.kind === kind).length;
  return (
    `${counts.transactions} transactions (${counts.changes} changes), ${counts.rollbacks} rolled back, ` +
    `${counts.served} pages served, ${counts.gone} not there; lost ${of('lost')}, resurrected ${of('resurrected')}, ` +
    `regressed ${of('regressed')}, torn ${of('torn')}, phantom ${of('phantom')}`
  );
}

function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  return `min ${at(0)}, median ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} ms (${sorted.length} starts)`;
}
