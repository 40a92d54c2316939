import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock, systemRandom, type Clock } from '../../runtime/clock.ts';
import { JobsUnavailable } from '../../runtime/errors.ts';
import { silentLogger, type LogFields, type Logger } from '../../runtime/logger.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { startTcpProxy, type TcpProxy } from '../../test/support/tcp-proxy.ts';
import { bullmqJobs } from './bullmq-jobs.ts';
import type { Jobs } from './jobs.ts';
import { jobsConformance, type OpenedJobs } from './jobs.conformance.ts';

const url = process.env['REDIS_TEST_URL'] ?? '';
if (!url) throw new Error('REDIS_TEST_URL is not set: run npm run engines first');

const HOUR_MS = 3_600_000;

/** A look past the jobs, as an operator has it. */
let redis: Redis;
const stack: AsyncDisposable[] = [];
beforeAll(() => {
  redis = new Redis(url, { maxRetriesPerRequest: null });
});
afterEach(async () => {
  for (const each of stack.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});
afterAll(async () => {
  for (const prefix of prefixes) {
    const keys = await redis.keys(`${prefix}:*`);
    if (keys.length > 0) await redis.unlink(keys);
  }
  redis.disconnect();
});

const prefixes: string[] = [];
function aPrefix(): string {
  const prefix = `test-${randomUUID()}`;
  prefixes.push(prefix);
  return prefix;
}

function aProcess(options: {
  readonly prefix: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly url?: string;
  readonly leaseMs?: number;
}): Jobs {
  const jobs = bullmqJobs({ url, clock: systemClock, random: systemRandom, logger: silentLogger, ...options });
  stack.push(jobs);
  return jobs;
}

/**
 * A clock an hour ahead of the one that BullMQ reads: turns never come by themselves, and `pass` brings them in the order of their
 * times, as a fake clock does.
 */
function aSchedule(prefix: string, name: string) {
  const clock = new FakeClock(Date.now() + HOUR_MS);
  const queue = new Queue(name, { connection: redis, prefix });
  stack.push({ [Symbol.asyncDispose]: () => queue.close() });
  const pass = async (ms: number): Promise<void> => {
    const untilMs = clock.now() + ms;
    for (;;) {
      const turns = (await queue.getDelayed()).map((turn) => ({ turn, atMs: Number(turn.id?.split(':').at(-1)) }));
      const [next] = turns.sort((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > untilMs || (await queue.getWorkersCount()) === 0) break;
      await clock.advance(next.atMs - clock.now());
      await next.turn.promote();
      // It was taken, or waits for the one that runs.
      await vi.waitUntil(async () => (await queue.getWaitingCount()) === 0 || (await queue.getActiveCount()) > 0);
    }
    await clock.advance(untilMs - clock.now());
  };
  return { clock, queue, pass };
}

jobsConformance('bullmq', async (): Promise<OpenedJobs> => {
  const prefix = aPrefix();
  const { clock, pass } = aSchedule(prefix, 'canary');
  return { jobs: aProcess({ prefix, clock }), pass };
});
