import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { below } from '../../../load-tests/simulator/random.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { Opened } from '../../../runtime/opened.ts';
import { isBulk, losingBulkReplies, refusing, refusingItems } from '../../support/bulk-faults.ts';
import { ClusterDeployment, sharedEngines } from '../../support/cluster-deployment.ts';
import { CAUGHT_UP_MS, ClusterWorld, STUCK_MS } from '../../support/cluster-world.ts';
import { HttpProxy } from '../../support/http-proxy.ts';
import { PAGES_TABLE, SOURCE } from '../../support/page-load.ts';
import type { PageWorld } from '../../support/page-world.ts';

/* Elasticsearch refuses, half refuses, or does what it is told and does not say so. `SEED=7`; `FAULT_MS=60000` sets how long. */

const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
const FAULT_MS = Number(process.env['FAULT_MS'] ?? 10_000);
/** Requests that a worker which waits between its attempts can make, per second; a hot loop makes hundreds. */
const MAX_ATTEMPTS_PER_SECOND = 40;

describe('an Elasticsearch that fails', () => {
  const opened = new Opened();
  const random = seededRandom(SEED);
  let proxy: HttpProxy;
  let world: ClusterWorld;
  let pages: PageWorld;

  beforeAll(async () => {
    process.stdout.write(`SEED=${SEED}\n`);
    const { elasticsearch } = sharedEngines();
    proxy = opened.use(await HttpProxy.open(elasticsearch.split(',')[0] ?? ''));
    const deployment = opened.use(
      await ClusterDeployment.open({
        through: { elasticsearch: proxy.url },
        source: SOURCE,
        tables: [PAGES_TABLE],
      }),
    );
    world = opened.use(
      await ClusterWorld.open({ deployment, random, roles: ['connectors', 'prepare', 'index', 'index', 'query'] }),
    );
    ({ pages } = world);
    await pages.untilFound('mark-first');
  });

  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
  });

  async function expectIntact(mark: string): Promise<void> {
    proxy.meddle = undefined;
    await pages.untilFound(mark);
    await world.expectIntact();
  }

  const LIMIT_MS = FAULT_MS + STUCK_MS + CAUGHT_UP_MS;

  test(
    'every fifth bulk is applied and its reply lost: what was stored is read, not guessed (R25)',
    async () => {
      let lost = 0;
      proxy.meddle = losingBulkReplies(5, () => lost++);
      pages.load();
      await systemClock.sleep(FAULT_MS);
      await pages.untilFound('mark-lost-replies');
      await expectIntact('mark-replies');
      expect(lost).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );

  test(
    'items that are refused in the middle of a bulk are sent again, and their neighbours stay (R24, R27)',
    async () => {
      let refused = 0;
      proxy.meddle = refusingItems(3, (items) => (refused += items));
      pages.load();
      await systemClock.sleep(FAULT_MS);
      await pages.untilFound('mark-refused-items');
      await expectIntact('mark-items');
      expect(refused).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );

  test(
    `writes that are refused with 429 and 503 for ${FAULT_MS / 1_000} s wait, and none is lost (R23)`,
    async () => {
      let refused = 0;
      proxy.meddle = refusing(isBulk, () => refused++);
      pages.load();
      await systemClock.sleep(FAULT_MS);
      expect(refused).toBeGreaterThan(0);
      expect(refused / (FAULT_MS / 1_000)).toBeLessThan(MAX_ATTEMPTS_PER_SECOND);
      await expectIntact('mark-refused');
    },
    LIMIT_MS,
  );
});
