import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock, systemRandom, type Clock } from '../../runtime/clock.ts';
import { silentLogger, type LogFields, type Logger } from '../../runtime/logger.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { startTcpProxy, type TcpProxy } from '../../test/support/tcp-proxy.ts';
import type { Cache } from './cache.ts';
import { cacheConformance } from './cache.conformance.ts';
import { openRedisCache } from './redis-cache.ts';

const url = process.env['REDIS_TEST_URL'] ?? '';
if (!url) throw new Error('REDIS_TEST_URL is not set: run npm run engines first');

const MAX_ENTRY_BYTES = 65_536;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A look past the cache, as an operator has it. */
let redis: Redis;
beforeAll(() => {
  redis = new Redis(url);
});
afterAll(() => redis.disconnect());

const aPrefix = (): string => `test-${randomUUID()}/`;

async function aCache(options: {
  readonly prefix?: string;
  readonly url?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
}): Promise<Cache> {
  return openRedisCache({
    url,
    prefix: aPrefix(),
    timeoutMs: 5_000, // conformance is about meaning; R43 below is about time
    maxEntryBytes: MAX_ENTRY_BYTES,
    maxAgeMs: 600_000, // what tests leave behind on a shared Redis goes soon
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...options,
  });
}

cacheConformance('redis', async () => ({
  cache: await aCache({}),
  maxBytes: MAX_ENTRY_BYTES,
  pass: (ms) => delay(ms), // entries age by the clock of Redis
}));

describe('redis cache', () => {
  it('keeps deployments with different prefixes apart', async () => {
    await using one = await aCache({});
    await using other = await aCache({});
    await one.set([{ key: 'a', value: bytes('1') }]);
    expect(await other.get(['a'])).toEqual([undefined]);
  });

  it('shares entries between processes', async () => {
    const prefix = aPrefix();
    await using one = await aCache({ prefix });
    await using other = await aCache({ prefix });
    await one.set([{ key: 'a', value: bytes('1') }]);
    expect(await other.get(['a'])).toEqual([bytes('1')]);
  });

  it('gives every entry an age at which it goes, so that a Redis without a bound does not grow for ever', async () => {
    const prefix = aPrefix();
    await using cache = await aCache({ prefix });
    await cache.set([
      { key: 'a', value: bytes('1') },
      { key: 'b', value: bytes('2'), ttlMs: Infinity },
    ]);
    for (const key of ['a', 'b']) {
      const leftMs = await redis.pttl(prefix + key);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(600_000);
    }
  });

  it('leaves no older value behind when a newer one is too large', async () => {
    await using cache = await aCache({});
    await cache.set([{ key: 'a', value: bytes('1') }]);
    await cache.set([{ key: 'a', value: new Uint8Array(MAX_ENTRY_BYTES + 1) }]);
    expect(await cache.get(['a'])).toEqual([undefined]);
  });
});

describe('tags of the redis cache', () => {
  it('lie in sets that age with their entries and keep no key that is long gone', async () => {
    const prefix = aPrefix();
    const clock = new FakeClock();
    await using cache = await aCache({ prefix, clock });
    const tagKey = `${prefix}\0document/1`;
    await cache.set([{ key: 'old', value: bytes('1'), ttlMs: 1_000, tags: ['document/1'] }]);
    expect(await redis.zrange(tagKey, '0', '-1')).toEqual([`${prefix}old`]);
    expect(await redis.pttl(tagKey)).toBeGreaterThan(0);
    await clock.advance(120_000);
    await cache.set([{ key: 'new', value: bytes('1'), ttlMs: 1_000, tags: ['document/1'] }]);
    expect(await redis.zrange(tagKey, '0', '-1')).toEqual([`${prefix}new`]);
    await cache.deleteTagged(['document/1']);
    expect(await redis.exists(tagKey)).toBe(0);
  });

  it('removes what another process has put', async () => {
    const prefix = aPrefix();
    await using one = await aCache({ prefix });
    await using other = await aCache({ prefix });
    await one.set([{ key: 'a', value: bytes('1'), tags: ['x'] }]);
    await other.deleteTagged(['x']);
    expect(await one.get(['a'])).toEqual([undefined]);
  });

  it('a set of another type is removed, and holds up nothing', async () => {
    const prefix = aPrefix();
    await using cache = await aCache({ prefix });
    await redis.set(`${prefix}\0x`, 'no set');
    await cache.deleteTagged(['x']);
    expect(await redis.exists(`${prefix}\0x`)).toBe(0);
    await cache.set([{ key: 'a', value: bytes('1'), tags: ['x'] }]);
    expect(await cache.get(['a'])).toEqual([bytes('1')]);
  });

  it('stands apart from every key', async () => {
    const prefix = aPrefix();
    await using cache = await aCache({ prefix });
    await cache.set([
      { key: '\0x', value: bytes('1'), tags: ['x'] },
      { key: '\\0x', value: bytes('2') },
    ]);
    expect(await cache.get(['\0x', '\\0x'])).toEqual([bytes('1'), bytes('2')]);
    await cache.deleteTagged(['x']);
    expect(await cache.get(['\0x', '\\0x'])).toEqual([undefined, bytes('2')]);
  });
});

describe('R43: the cache answers whatever Redis does', () => {
  /** A cache whose way to Redis has faults, and whose time a test moves. */
  async function aRig() {
    const clock = new FakeClock();
    const target = new URL(url);
    const proxy = await startTcpProxy({ target: target.host, clock: new FakeClock(), random: systemRandom });
    const proxied = new URL(url);
    proxied.host = proxy.address;
    const warnings: (readonly [string, LogFields | undefined])[] = [];
    const infos: string[] = [];
    const logger = {
      ...silentLogger,
      warn: (message: string, fields?: LogFields) => void warnings.push([message, fields]),
      info: (message: string) => void infos.push(message),
    };
    const prefix = aPrefix();
    const cache = await aCache({ url: proxied.href, prefix, clock, logger });
    return {
      proxy,
      cache,
      clock,
      prefix,
      warnings,
      infos,
      [Symbol.asyncDispose]: async () => {
        await cache[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  /** Lets time pass until the cache serves from Redis again. */
  async function heal(proxy: TcpProxy, cache: Cache, clock: FakeClock): Promise<void> {
    await proxy.clear();
    await vi.waitUntil(
      async () => {
        await clock.advance(5_000);
        const stored = cache.set([{ key: 'healed', value: bytes('yes') }]);
        await stored;
        return (await cache.get(['healed']))[0] !== undefined;
      },
      { timeout: 15_000 },
    );
  }

  it('R43: Redis slow: a look-up is a miss after the timeout, and the next ones at once', async () => {
    await using rig = await aRig();
    const { cache, clock, proxy } = rig;
    await cache.set([{ key: 'a', value: bytes('1') }]);
    await proxy.add({ kind: 'latency', latencyMs: 5_000, direction: 'both' });
    const slow = cache.get(['a', 'b']);
    await vi.waitUntil(() => clock.sleeping === 1);
    await clock.advance(5_000);
    expect(await slow).toEqual([undefined, undefined]);
    // No time passes here: whoever waited would wait for ever.
    for (let n = 0; n < 1_000; n++) expect(await cache.get(['a'])).toEqual([undefined]);
    await cache.set([{ key: 'a', value: bytes('2') }]);
    expect(rig.warnings).toEqual([
      [
        'The Redis cache does not answer; every look-up is a miss until it does.',
        { reason: 'no answer within 5000 ms' },
      ],
    ]);
    await heal(proxy, cache, clock);
    expect(rig.infos).toEqual(['The Redis cache answers again.']);
    expect(await cache.get(['a'])).toEqual([bytes('1')]);
  });

  it('R43: Redis down: look-ups are misses at once, writes are dropped, and it is used again when it is back', async () => {
    await using rig = await aRig();
    const { cache, clock, proxy } = rig;
    await cache.set([{ key: 'a', value: bytes('1') }]);
    await proxy.add({ kind: 'down' });
    expect(await cache.get(['a'])).toEqual([undefined]);
    await cache.set([{ key: 'a', value: bytes('2') }]);
    await vi.waitUntil(() => rig.warnings.length === 1);
    await heal(proxy, cache, clock);
    expect(await cache.get(['a'])).toEqual([bytes('1')]);
  });

  it('R43: Redis down at the start: opening the cache neither fails nor waits', async () => {
    await using cache = await aCache({ url: 'redis://127.0.0.1:1' });
    expect(await cache.get(['a'])).toEqual([undefined]);
    await cache.set([{ key: 'a', value: bytes('1') }]);
    await cache.delete(['a']);
  });

  it('R43: Redis refuses the password: misses, and the reason is logged without it', async () => {
    const warnings: (LogFields | undefined)[] = [];
    const logger = { ...silentLogger, warn: (_: string, fields?: LogFields) => void warnings.push(fields) };
    const wrong = new URL(url);
    wrong.username = 'nobody';
    wrong.password = 'wrong-canary';
    await using cache = await aCache({ url: wrong.href, logger });
    expect(await cache.get(['a'])).toEqual([undefined]);
    await vi.waitUntil(() => warnings.length === 1);
    expect(warnings).toEqual([{ reason: 'WRONGPASS' }]);
  });

  it('R43: a connection that goes half-open is made anew', async () => {
    await using rig = await aRig();
    const { cache, clock, proxy } = rig;
    await proxy.add({ kind: 'half_open' });
    const lost = cache.get(['a']);
    await vi.waitUntil(() => clock.sleeping === 1);
    await clock.advance(5_000);
    expect(await lost).toEqual([undefined]);
    await heal(proxy, cache, clock);
    expect(proxy.accepted).toBe(2);
  });

  it('R43: replies that are cut into single bytes or break off are misses or right, never wrong', async () => {
    await using rig = await aRig();
    const { cache, clock, proxy } = rig;
    const value = new Uint8Array(1_536).map((_, i) => i);
    await cache.set([{ key: 'a', value }]);
    await using _sliced = await proxy.add({ kind: 'slicer', sizeBytes: 1 });
    expect(await cache.get(['a'])).toEqual([value]);
    await proxy.add({ kind: 'limit_data', bytes: 700 });
    expect(await cache.get(['a'])).toEqual([undefined]);
    await heal(proxy, cache, clock);
    expect(await cache.get(['a'])).toEqual([value]);
  });

  it('R43: Redis flushed: misses, and new entries are stored', async () => {
    const prefix = aPrefix();
    await using cache = await aCache({ prefix });
    await cache.set([{ key: 'a', value: bytes('1') }]);
    await redis.unlink(`${prefix}a`);
    expect(await cache.get(['a'])).toEqual([undefined]);
    await cache.set([{ key: 'a', value: bytes('2') }]);
    expect(await cache.get(['a'])).toEqual([bytes('2')]);
  });

  it('R43: a key of another type is a miss beside its neighbours, and is mended by the next write', async () => {
    const prefix = aPrefix();
    await using cache = await aCache({ prefix });
    await redis.rpush(`${prefix}list`, 'x');
    await redis.hset(`${prefix}hash`, 'field', 'x');
    await cache.set([{ key: 'a', value: bytes('1') }]);
    expect(await cache.get(['list', 'a', 'hash'])).toEqual([undefined, bytes('1'), undefined]);
    await cache.set([{ key: 'list', value: bytes('2') }]);
    await cache.delete(['hash']);
    expect(await cache.get(['list', 'hash'])).toEqual([bytes('2'), undefined]);
    expect(await redis.exists(`${prefix}hash`)).toBe(0);
  });

  it.each([3, 25_000])(
    'R43: %i deletions while Redis is away are made up for before it is served from',
    async (count) => {
      await using rig = await aRig();
      const { cache, clock, proxy, prefix } = rig;
      await cache.set([{ key: 'key 0', value: bytes('secret') }]);
      await cache.set([{ key: 'other', value: bytes('kept') }]);
      await proxy.add({ kind: 'down' });
      await cache.delete(Array.from({ length: count }, (_, i) => `key ${i}`));
      await heal(proxy, cache, clock);
      expect(await cache.get(['key 0'])).toEqual([undefined]);
      expect(await redis.exists(`${prefix}key 0`)).toBe(0);
      // More than can be remembered: everything goes, which costs work and no correctness.
      expect(await redis.exists(`${prefix}other`)).toBe(count > 10_000 ? 0 : 1);
    },
  );

  it.each([3, 25_000])(
    'R43: %i deletions by tag while Redis is away are made up for before it is served from',
    async (count) => {
      await using rig = await aRig();
      const { cache, clock, proxy, prefix } = rig;
      await cache.set([{ key: 'a', value: bytes('secret'), tags: ['document 0'] }]);
      await proxy.add({ kind: 'down' });
      await cache.deleteTagged(Array.from({ length: count }, (_, i) => `document ${i}`));
      await heal(proxy, cache, clock);
      expect(await cache.get(['a'])).toEqual([undefined]);
      expect(await redis.exists(`${prefix}a`)).toBe(0);
    },
  );
});
