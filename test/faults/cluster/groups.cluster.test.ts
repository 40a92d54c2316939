import { afterAll, beforeAll, describe, test } from 'vitest';
import { below } from '../../../load-tests/simulator/random.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { Opened } from '../../../runtime/opened.ts';
import { ClusterDeployment } from '../../support/cluster-deployment.ts';
import { CAUGHT_UP_MS, ClusterWorld, STUCK_MS } from '../../support/cluster-world.ts';
import type { Fleet } from '../../support/fleet.ts';
import { PAGES_TABLE, SOURCE } from '../../support/page-load.ts';
import type { PageWorld } from '../../support/page-world.ts';

/*
 * Members of consumer groups come, go and pause under load. `SEED=7` sets the schedule, `CHURN=60` how many members come or go, `PAUSE_MS`
 * how long one is a zombie.
 */

const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
const CHURN = Number(process.env['CHURN'] ?? 8);
const CHURN_EVERY_MS = 2_000;
/** Longer than the 10 s after which a group gives a member's partitions to others. */
const PAUSE_MS = Number(process.env['PAUSE_MS'] ?? 15_000);

describe('members of consumer groups', () => {
  const opened = new Opened();
  const random = seededRandom(SEED);
  let world: ClusterWorld;
  let fleet: Fleet;
  let pages: PageWorld;

  beforeAll(async () => {
    process.stdout.write(`SEED=${SEED}\n`);
    const deployment = opened.use(await ClusterDeployment.open({ source: SOURCE, tables: [PAGES_TABLE] }));
    world = opened.use(
      await ClusterWorld.open({
        deployment,
        random,
        roles: ['connectors', 'prepare', 'prepare', 'index', 'index', 'query'],
      }),
    );
    ({ fleet, pages } = world);
    await pages.untilFound('mark-first');
  });

  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
  });

  test(
    `nothing is lost or regressed while a member comes or is killed every ${CHURN_EVERY_MS / 1_000} s (R18, B14)`,
    async () => {
      pages.load();
      for (let n = 1; n <= CHURN; n++) {
        const role = below(random, 2) === 0 ? 'prepare' : 'index';
        const members = fleet.count(role);
        if (members < 2 || (members < 4 && below(random, 2) === 0)) fleet.add(role);
        else await fleet.remove(role, below(random, members));
        await systemClock.sleep(CHURN_EVERY_MS);
      }
      await pages.untilFound('mark-churn');
      await world.expectIntact();
    },
    CHURN * CHURN_EVERY_MS + STUCK_MS + CAUGHT_UP_MS,
  );

  test(
    `what a process writes after a pause of ${PAUSE_MS / 1_000} s, as a zombie, changes nothing (R19)`,
    async () => {
      pages.load();
      for (const role of ['index', 'prepare'] as const) {
        while (fleet.count(role) < 2) fleet.add(role);
        await pages.untilFound(`mark-before-${role}`);
        fleet.send('SIGSTOP', role);
        await systemClock.sleep(PAUSE_MS);
        await pages.untilFound(`mark-without-${role}`);
        fleet.send('SIGCONT', role);
        await pages.untilFound(`mark-with-${role}`);
      }
      await world.expectIntact();
    },
    2 * (PAUSE_MS + 3 * STUCK_MS) + CAUGHT_UP_MS,
  );
});
