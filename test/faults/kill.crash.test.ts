import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { below } from '../../load-tests/simulator/random.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { systemClock, type Random } from '../../runtime/clock.ts';
import { LiveProduct } from '../support/live-product.ts';
import { PAGES_TABLE, SOURCE } from '../support/page-load.ts';
import { PageWorld, spread } from '../support/page-world.ts';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';

/* The whole product as a process, killed under load. `KILLS=200` and `SEED=7` set how often and which schedule. */

const KILLS = Number(process.env['KILLS'] ?? 25);
const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
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
      if (kill % 25 === 0) say(`  ${kill} kills: ${world.pages.summary()}`);
    }
    await back('mark-last');
    const differences = await world.pages.compare();
    say(`  ${world.pages.summary()}`);
    say(`  start to listening: ${spread(listening)}`);
    say(`  start to first new change searchable: ${spread(times)}`);
    say(`  source and index: ${differences.length} differences in ${world.pages.ledger.ids().length} pages`);
    expect(world.pages.ledger.violations).toEqual([]);
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
  expect(await world.pages.compare()).toEqual([]);
  expect(world.pages.ledger.violations).toEqual([]);
});

/** A product on a database under load. */
interface World extends AsyncDisposable {
  readonly pages: PageWorld;
  readonly product: LiveProduct;
  /** Starts the next process after the last one has ended. */
  start(): void;
  /** Resolves when the process takes requests; ms from its start. */
  untilListening(): Promise<number>;
  /** Commits a page and resolves when it is found; ms from the start of the process. From then on, nothing older may be served. */
  untilFirstChange(id: string): Promise<number>;
}

/** A database with its writers, a product that has just been started on it, and readers of whatever product runs. */
async function openWorld(random: Random): Promise<World> {
  const database = await testDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'freshet-kill-'));
  const configFile = await writeConfig(folder, database);
  const asked = (): LiveProduct => product;
  const pages = await PageWorld.open({ database, random, asked, stuckMs: STUCK_MS, caughtUpMs: CAUGHT_UP_MS });
  let startedMs = systemClock.monotonicMs();
  let product = new LiveProduct(configFile);
  pages.load();
  return {
    pages,
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
      await pages.untilFound(id);
      return systemClock.monotonicMs() - startedMs;
    },
    async [Symbol.asyncDispose]() {
      await product[Symbol.asyncDispose]();
      await pages[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
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
