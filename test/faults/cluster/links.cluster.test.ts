import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { startConnect } from '../../../deploy/local/connect.ts';
import { freePort } from '../../../deploy/local/free-port.ts';
import { startKafka } from '../../../deploy/local/kafka.ts';
import { startRedis } from '../../../deploy/local/redis.ts';
import type { Engine } from '../../../deploy/local/engine.ts';
import { below } from '../../../load-tests/simulator/random.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { Opened } from '../../../runtime/opened.ts';
import { ClusterDeployment, sharedEngines } from '../../support/cluster-deployment.ts';
import { CAUGHT_UP_MS, ClusterWorld, STUCK_MS } from '../../support/cluster-world.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import { PAGES_TABLE, SOURCE } from '../../support/page-load.ts';
import type { PageWorld } from '../../support/page-world.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import type { Toxic } from '../../support/tcp-proxy-toxics.ts';

/*
 * The links between the product and its engines, each made bad in turn. `SEED=7`; `FAULT_MS=10000` sets how long every fault lasts. Kafka's
 * clients learn the brokers' own addresses, so this broker has a listener that gives the proxy's. Kafka Connect reaches it directly: how soon
 * that finds a dead connection is its own affair (40 s).
 */

const SEED = Number(process.env['SEED'] ?? below(Math.random, 1_000_000));
const FAULT_MS = Number(process.env['FAULT_MS'] ?? 4_000);

/** Links that an address in the config decides. */
const ADDRESSED = ['elasticsearch', 'redis', 'connect', 'postgres'] as const;
const LINKS = ['kafka', ...ADDRESSED] as const;
type Link = (typeof LINKS)[number];

const FAULTS: readonly Toxic[] = [
  { kind: 'latency', latencyMs: 300 },
  { kind: 'reset_peer', afterMs: 500, toxicity: 0.5 },
  { kind: 'half_open', direction: 'both' },
  { kind: 'timeout', direction: 'both' },
  { kind: 'down' },
];

describe('links that fail', () => {
  const opened = new Opened();
  const random = seededRandom(SEED);
  const proxies = new Map<Link, TcpProxy>();
  let redis: Engine;
  let world: ClusterWorld;
  let pages: PageWorld;

  beforeAll(async () => {
    process.stdout.write(`SEED=${SEED}\n`);
    const { path } = opened.use(await engineFolder());
    redis = opened.use(await startRedis({ dir: join(path, 'redis') }));
    const port = await freePort();
    const broker = opened.use(await startTcpProxy({ target: `127.0.0.1:${port}`, clock: systemClock, random }));
    proxies.set('kafka', broker);
    const kafka = opened.use(await startKafka({ dir: join(path, 'kafka'), behind: { port, address: broker.address } }));
    const connect = opened.use(await startConnect({ dir: join(path, 'connect'), brokers: kafka.url }));
    const engines = { ...sharedEngines(), redis: redis.url, kafka: broker.address, connect: connect.url };
    const through: Partial<Record<Link, string>> = {};
    for (const link of ADDRESSED) {
      const url = new URL(engines[link].split(',')[0] ?? '');
      const proxy = opened.use(await startTcpProxy({ target: url.host, clock: systemClock, random }));
      proxies.set(link, proxy);
      url.host = proxy.address;
      through[link] = url.href.replace(/\/$/, '');
    }
    const deployment = opened.use(
      await ClusterDeployment.open({ engines, through, source: SOURCE, tables: [PAGES_TABLE] }),
    );
    const isFair = (status: number) => status === 503; // while Elasticsearch is behind a link that is down
    world = opened.use(
      await ClusterWorld.open({ deployment, random, roles: ['connectors', 'prepare', 'index', 'query'], isFair }),
    );
    ({ pages } = world);
    await pages.untilFound('mark-first');
  });

  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
  });

  const LIMIT_MS = FAULTS.length * (FAULT_MS + STUCK_MS) + CAUGHT_UP_MS;

  test.each(LINKS)(
    'latency, resets, half-open connections, a blackhole and an outage on the link to %s lose nothing (R39)',
    async (link) => {
      pages.load();
      for (const [n, fault] of FAULTS.entries()) {
        const toxic = await proxies.get(link)?.add(fault);
        await systemClock.sleep(FAULT_MS);
        await toxic?.[Symbol.asyncDispose]();
        await pages.untilFound(`mark-${link}-${n}`);
      }
      await world.expectIntact();
    },
    LIMIT_MS,
  );

  test(
    'a Redis that was flushed, holds other types, is slow, or is away changes no answer (R43)',
    async () => {
      pages.load();
      const client = new Redis(redis.url);
      await client.flushall();
      await pages.untilFound('mark-flushed');
      for (const key of await client.keys('*/cache/*')) await client.multi().del(key).lpush(key, 'a list').exec();
      await pages.untilFound('mark-other-types');
      client.disconnect();
      const slow = await proxies.get('redis')?.add({ kind: 'latency', latencyMs: 2_000 });
      await pages.untilFound('mark-slow-redis');
      await slow?.[Symbol.asyncDispose]();
      await redis.kill('SIGKILL');
      await pages.untilFound('mark-without-redis');
      await redis.restart();
      await pages.untilFound('mark-with-redis');
      await world.expectIntact();
    },
    5 * STUCK_MS + CAUGHT_UP_MS,
  );
});
