import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { below } from '../../../load-tests/simulator/random.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { Opened } from '../../../runtime/opened.ts';
import { ClusterDeployment } from '../../support/cluster-deployment.ts';
import { CAUGHT_UP_MS, ClusterWorld, STUCK_MS } from '../../support/cluster-world.ts';
import type { Fleet, Role } from '../../support/fleet.ts';
import { PAGES_TABLE, SOURCE } from '../../support/page-load.ts';
import type { PageWorld } from '../../support/page-world.ts';

/* Records that come twice, late, all over again, or through other partitions than before. `SEED=7`; `FAULT_MS=60000` sets how long. */

const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
const FAULT_MS = Number(process.env['FAULT_MS'] ?? 15_000);
const DUPLICATES = 0.07;
/** A copy comes this much later at most, ms: far behind younger versions. */
const LATE_MS = 5_000;
const ROLES: readonly Role[] = ['connectors', 'prepare', 'prepare', 'index', 'index', 'query'];

describe('records that come twice, late or elsewhere', () => {
  const opened = new Opened();
  const random = seededRandom(SEED);
  let deployment: ClusterDeployment;
  let kafka: kafkajs.Kafka;
  let world: ClusterWorld;
  let fleet: Fleet;
  let pages: PageWorld;

  beforeAll(async () => {
    process.stdout.write(`SEED=${SEED}\n`);
    deployment = opened.use(await ClusterDeployment.open({ source: SOURCE, tables: [PAGES_TABLE] }));
    kafka = new kafkajs.Kafka({ brokers: deployment.engines.kafka.split(','), logLevel: kafkajs.logLevel.NOTHING });
    world = opened.use(await ClusterWorld.open({ deployment, random, roles: ROLES }));
    ({ fleet, pages } = world);
    await pages.untilFound('mark-first');
  });

  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
  });

  test(
    `of all changes ${Math.round(DUPLICATES * 100)} % come again, up to ${LATE_MS / 1_000} s later: no page goes back (R17)`,
    async () => {
      const topic = deployment.inKafka(`${SOURCE}.public.pages`);
      const producer = kafka.producer();
      const consumer = kafka.consumer({ groupId: `${deployment.name}-copies` });
      await Promise.all([producer.connect(), consumer.connect()]);
      await consumer.subscribe({ topic });
      let copies = 0;
      const late: Promise<unknown>[] = [];
      await consumer.run({
        eachMessage: async ({ partition, message: { key, value, headers, timestamp } }) => {
          // A copy of a copy would have no end; watermarks are ours, and no source sends one twice behind a later one.
          if (headers?.['copy'] || key?.toString().startsWith('~') || random() >= DUPLICATES) return;
          copies++;
          const again = { partition, key, value, headers: { ...headers, copy: '1' }, timestamp };
          late.push(systemClock.sleep(below(random, LATE_MS)).then(() => producer.send({ topic, messages: [again] })));
        },
      });
      pages.load();
      await systemClock.sleep(FAULT_MS);
      await consumer.disconnect();
      await Promise.all(late);
      await producer.disconnect();
      await pages.untilFound('mark-copies');
      await world.expectIntact();
      expect(copies).toBeGreaterThan(0);
    },
    FAULT_MS + LATE_MS + STUCK_MS + CAUGHT_UP_MS,
  );

  test(
    'the whole log is read again, after Elasticsearch has forgotten what it deleted: nothing comes back (R26)',
    async () => {
      pages.load();
      await systemClock.sleep(FAULT_MS / 3);
      await world.expectIntact();
      const [node = ''] = deployment.engines.elasticsearch.split(',');
      const settings = await fetch(`${node}/${deployment.name}-*/_settings`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ index: { gc_deletes: '1s' } }),
      });
      expect(settings.status).toBe(200);
      await systemClock.sleep(3_000);
      const admin = kafka.admin();
      await admin.connect();
      for (const role of ['prepare', 'index'] as const) while (fleet.count(role) > 0) await fleet.remove(role);
      await forgetGroups(admin);
      for (const role of ['prepare', 'index'] as const) fleet.add(role);
      await expect.poll(() => unread(admin), { timeout: CAUGHT_UP_MS, interval: 500 }).toBe(0);
      await admin.disconnect();
      await pages.untilFound('mark-replayed');
      await world.expectIntact();
    },
    FAULT_MS + STUCK_MS + 2 * CAUGHT_UP_MS,
  );

  test(
    'retention deletes changes that nobody has read: the source is read again, and nothing stays lost or too long (R22)',
    async () => {
      pages.load();
      await systemClock.sleep(FAULT_MS / 3);
      const prepares = fleet.count('prepare');
      while (fleet.count('prepare') > 0) await fleet.remove('prepare');
      await systemClock.sleep(FAULT_MS);
      const topic = deployment.inKafka(`${SOURCE}.public.pages`);
      const admin = kafka.admin();
      await admin.connect();
      const ends = await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({
        topic,
        partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
      });
      await admin.disconnect();
      for (let n = 0; n < prepares; n++) fleet.add('prepare');
      await pages.untilFound('mark-read-again');
      await world.expectIntact();
      expect(fleet.stderr()).toContain('their source is asked to read its tables again');
      expect(fleet.stderr()).toContain('records-lost');
    },
    2 * FAULT_MS + STUCK_MS + CAUGHT_UP_MS,
  );

  test(
    'partitions are added under load: per page the version decides, whichever partition it came through (R21)',
    async () => {
      pages.load();
      await pages.untilFound('mark-before-growth');
      await deployment.repartition(6);
      for (const role of ['connectors', 'prepare', 'index', 'query'] as const)
        for (let n = fleet.count(role) - 1; n >= 0; n--) await fleet.replace(role, n);
      await pages.untilFound('mark-grown');
      await systemClock.sleep(FAULT_MS);
      await pages.untilFound('mark-after-growth');
      await world.expectIntact();
      expect(fleet.stderr()).toContain('partitions-added');
    },
    FAULT_MS + 3 * STUCK_MS + CAUGHT_UP_MS,
  );

  /** Once the killed members have been missed, which takes a group a few seconds. */
  async function forgetGroups(admin: kafkajs.Admin): Promise<void> {
    const groups = async (): Promise<string[]> =>
      (await admin.listGroups()).groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(deployment.name));
    await expect
      .poll(
        async () => {
          await admin.deleteGroups(await groups()).catch(() => undefined);
          return await groups();
        },
        { timeout: STUCK_MS, interval: 1_000 },
      )
      .toEqual([]);
  }

  /** Records that a group of the deployment has yet to read. */
  async function unread(admin: kafkajs.Admin): Promise<number> {
    const groups = (await admin.listGroups()).groups.filter(({ groupId }) => groupId.startsWith(deployment.name));
    let left = groups.length < 2 ? 1 : 0;
    for (const { groupId } of groups)
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId })) {
        const ends = await admin.fetchTopicOffsets(topic);
        for (const { partition, offset } of partitions)
          left += Math.max(0, Number(ends.find((one) => one.partition === partition)?.high ?? 0) - Number(offset));
      }
    return left;
  }
});
