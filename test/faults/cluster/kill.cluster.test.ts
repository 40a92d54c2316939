import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../deploy/local/engine.ts';
import { below } from '../../../load-tests/simulator/random.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { Opened } from '../../../runtime/opened.ts';
import { ClusterDeployment } from '../../support/cluster-deployment.ts';
import { CAUGHT_UP_MS, ClusterWorld, STUCK_MS } from '../../support/cluster-world.ts';
import type { Fleet, Role } from '../../support/fleet.ts';
import { PAGES_TABLE, SOURCE } from '../../support/page-load.ts';
import { spread, type PageWorld } from '../../support/page-world.ts';
import { privateEngines, type PrivateEngines } from '../../support/private-engines.ts';

/*
 * Every process of a deployment and of its engines, killed under load. `KILLS=200` and `SEED=7` set how often and which schedule; `NODES=3`
 * makes a cluster of Kafka and of Elasticsearch.
 */

const KILLS = Number(process.env['KILLS'] ?? 10);
const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
const NODES = Number(process.env['NODES'] ?? 1);
const BROKER_KILLS = Math.max(2, Math.round(KILLS / 20));
/** Share of kills that come before the last one's victim is back. */
const DURING_START = 0.25;
/** Share of processes that start in a new folder, as on another machine. */
const ELSEWHERE = 0.5;

const ROLES: readonly Role[] = ['connectors', 'prepare', 'prepare', 'index', 'index', 'query'];
const VICTIMS = ['connectors', 'prepare', 'index', 'query', 'connect', 'kafka', 'elasticsearch'] as const;
type Victim = (typeof VICTIMS)[number];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

describe('kill -9 under load, on the real engines', () => {
  const opened = new Opened();
  const random = seededRandom(SEED);
  let engines: PrivateEngines;
  let fleet: Fleet;
  let pages: PageWorld;

  beforeAll(async () => {
    engines = opened.use(await privateEngines(NODES));
    const { kafka, connect, elasticsearch } = engines;
    const deployment = opened.use(
      await ClusterDeployment.open({
        engines: { kafka: kafka.url, connect: connect.url, elasticsearch: elasticsearch.url },
        source: SOURCE,
        tables: [PAGES_TABLE],
        replicas: Math.min(1, NODES - 1),
      }),
    );
    const isFair = (status: number) => status === 503; // while the only node of an engine is away
    const world = opened.use(await ClusterWorld.open({ deployment, random, roles: ROLES, isFair }));
    ({ fleet, pages } = world);
    pages.load();
    await pages.untilFound('mark-first');
  });

  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
  });

  async function kill(victim: Victim): Promise<void> {
    if (victim === 'connect' || victim === 'kafka' || victim === 'elasticsearch') await killNode(engines[victim]);
    else await fleet.replace(victim, below(random, fleet.count(victim)), { elsewhere: random() < ELSEWHERE });
  }

  async function killNode(engine: Engine): Promise<void> {
    const node = below(random, engine.nodes.length);
    await engine.kill('SIGKILL', node);
    await engine.restart(node);
  }

  async function expectIntact(): Promise<void> {
    expect(fleet.ended()).toEqual([]);
    const differences = await pages.compare();
    say(`  ${pages.summary()}`);
    say(`  source and index: ${differences.length} differences in ${pages.ledger.ids().length} pages`);
    expect(pages.ledger.violations).toEqual([]);
    expect(differences).toEqual([]);
  }

  test(
    `nothing is lost, resurrected, regressed or torn by ${KILLS} kills of any process of ours or of the engines (R02)`,
    async () => {
      say(`kill -9 x ${KILLS}, SEED=${SEED}, ${NODES} nodes each`);
      const backMs = new Map<Victim, number[]>(VICTIMS.map((victim) => [victim, []]));
      let deck: Victim[] = [];
      for (let n = 1; n <= KILLS; n++) {
        if (deck.length === 0) deck = shuffled(VICTIMS);
        const victim = deck.pop() ?? 'index';
        const startedMs = systemClock.monotonicMs();
        await kill(victim);
        if (random() >= DURING_START) {
          await pages.untilFound(`mark-${n}`);
          backMs.get(victim)?.push(systemClock.monotonicMs() - startedMs);
        }
        await systemClock.sleep(below(random, 1_000));
        expect(fleet.ended()).toEqual([]);
        if (n % 25 === 0) say(`  ${n} kills: ${pages.summary()}`);
      }
      await pages.untilFound('mark-last');
      await expectIntact();
      for (const [victim, times] of backMs)
        if (times.length > 0) say(`  kill of ${victim} to first new change searchable: ${spread(times)}`);
      say(`  kill to first new change searchable: ${spread([...backMs.values()].flat())}`);
    },
    2 * CAUGHT_UP_MS + KILLS * STUCK_MS,
  );

  test(
    `producers and consumers go on when a broker is killed ${BROKER_KILLS} times (R20)`,
    async () => {
      pages.load();
      for (let n = 1; n <= BROKER_KILLS; n++) {
        await killNode(engines.kafka);
        await pages.untilFound(`mark-broker-${n}`);
      }
      await expectIntact();
    },
    CAUGHT_UP_MS + BROKER_KILLS * STUCK_MS,
  );

  function shuffled(victims: readonly Victim[]): Victim[] {
    return victims
      .map((victim) => ({ victim, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ victim }) => victim);
  }
});
