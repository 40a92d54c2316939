import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { systemClock, systemRandom, type Clock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { bullmqJobs, type BullmqJobsOptions } from './bullmq-jobs.ts';
import type { Job, Jobs } from './jobs.ts';

export const redisUrl = process.env['REDIS_TEST_URL'] ?? '';
if (!redisUrl) throw new Error('REDIS_TEST_URL is not set: run npm run engines first');

export const HOUR_MS = 3_600_000;

/** Five runs in a second is the most there may be: the sixth waits longer than a wait usually takes. */
export const until = (condition: () => boolean | Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: 20_000, interval: 10 });

/** What one test makes on the shared Redis: it is taken away again. */
export class JobsRig implements AsyncDisposable {
  readonly prefix = `test-${randomUUID()}`;
  /** A look past the jobs, as an operator has it. */
  readonly redis: Redis;
  readonly #opened: AsyncDisposable[] = [];

  constructor(url = redisUrl) {
    this.redis = new Redis(url, { maxRetriesPerRequest: null });
    this.redis.on('error', () => undefined); // tests take it down
  }

  use<T extends AsyncDisposable>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  /** The jobs of one process of the deployment. */
  process(options: Partial<BullmqJobsOptions> = {}): Jobs {
    return this.use(
      bullmqJobs({
        url: redisUrl,
        prefix: this.prefix,
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        ...options,
      }),
    );
  }

  queue(name: string): Queue {
    const queue = new Queue(name, { connection: this.redis, prefix: this.prefix });
    queue.on('error', () => undefined);
    this.use({ [Symbol.asyncDispose]: () => queue.close() });
    return queue;
  }

  /**
   * A clock an hour ahead of the one that BullMQ reads: turns never come by themselves, and `pass` brings them in the order of
   * their times, as a fake clock does.
   */
  schedule(name: string) {
    const clock = new FakeClock(Date.now() + HOUR_MS);
    const queue = this.queue(name);
    const pass = async (ms: number): Promise<void> => {
      const untilMs = clock.now() + ms;
      for (;;) {
        const turns = (await queue.getDelayed()).map((turn) => ({ turn, atMs: Number(turn.id?.split(':').at(-1)) }));
        const [next] = turns.sort((a, b) => a.atMs - b.atMs);
        if (!next || next.atMs > untilMs || (await queue.getWorkersCount()) === 0) break;
        await clock.advance(next.atMs - clock.now());
        await next.turn.promote();
        // It was taken, which puts the next one on its way, or it waits for the one that runs.
        await until(async () => {
          const { delayed, active, waiting } = await queue.getJobCounts('delayed', 'active', 'waiting');
          return Number(delayed) > 0 || (Number(active) > 0 && Number(waiting) > 0);
        });
      }
      await clock.advance(untilMs - clock.now());
    };
    return { clock, queue, pass };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
    const keys = this.redis.status === 'ready' ? await this.redis.keys(`${this.prefix}:*`) : [];
    if (keys.length > 0) await this.redis.unlink(keys);
    this.redis.disconnect();
  }
}

/** A job that tells who ran it, and whether two ever ran at a time. */
export function aSharedJob(everyMs = 1_000) {
  const runs: { readonly by: string; finish(): void; readonly signal: AbortSignal; readonly startedAtMs: number }[] =
    [];
  let running = 0;
  let mostAtATime = 0;
  const by = (process: string, clock: Clock, { held = false } = {}): Job => ({
    name: 'retention',
    everyMs,
    run: async (signal: AbortSignal) => {
      mostAtATime = Math.max(mostAtATime, ++running);
      try {
        await new Promise<void>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          runs.push({ by: process, finish: resolve, signal, startedAtMs: clock.now() });
          if (!held) setImmediate(resolve);
        });
      } finally {
        running--;
      }
    },
  });
  return { by, runs, mostAtATime: () => mostAtATime };
}
