import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startRedis } from '../../deploy/local/redis.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { JobsUnavailable } from '../../runtime/errors.ts';
import { silentLogger, type LogFields } from '../../runtime/logger.ts';
import { startTcpProxy } from '../../test/support/tcp-proxy.ts';
import { aSharedJob, HOUR_MS, JobsRig, redisUrl, until } from './bullmq-fixtures.ts';

let rig: JobsRig;
beforeEach(() => {
  rig = new JobsRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** A way to the shared Redis that can be broken. */
async function aProxiedRedis() {
  const url = new URL(redisUrl);
  const proxy = rig.use(await startTcpProxy({ target: url.host, clock: systemClock, random: systemRandom }));
  url.host = proxy.address;
  return { url: url.href, proxy };
}

/** A process that holds a run of the job `retention`; resolves when the run goes on. */
async function aProcessThatRuns(leaseMs: number, url = redisUrl) {
  // Beside the packages that it imports, which are not bundled.
  const file = fileURLToPath(new URL(`../../node_modules/.cache/freshet/${rig.prefix}.mjs`, import.meta.url));
  const bundle = await rolldown({
    input: fileURLToPath(new URL('held-run-fixtures.ts', import.meta.url)),
    platform: 'node',
    external: ['bullmq', 'ioredis', 'pino'],
  });
  await bundle.write({ file, format: 'esm' });
  await bundle.close();
  const child = spawn(process.execPath, [file, url, rig.prefix, String(leaseMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    await rm(file, { force: true });
  };
  rig.use({ [Symbol.asyncDispose]: kill });
  await once(child.stdout, 'data');
  /** Asks it to stop; its exit code. */
  const stop = async (): Promise<number> => {
    child.kill('SIGTERM');
    const [code] = (await exited) as [number];
    return code;
  };
  return { kill, stop };
}

function aRecordingLogger() {
  const lines: (readonly [string, LogFields | undefined])[] = [];
  const record = (message: string, fields?: LogFields) => void lines.push([message, fields]);
  return { lines, logger: { ...silentLogger, warn: record, info: record } };
}

describe('a process that is killed', () => {
  it('loses its run to another process after its lease', async () => {
    const killed = await aProcessThatRuns(1_000);
    const job = aSharedJob(HOUR_MS);
    const other = rig.process({ leaseMs: 1_000 });
    await other.schedule(job.by('other', systemClock, { held: true }));
    await killed.kill();
    await until(() => job.runs.length === 1);
    // It is the same turn: whoever asks for a run joins it.
    const asked = other.runNow('retention');
    job.runs[0]!.finish();
    await asked;
    expect(job.runs).toHaveLength(1);
  });

  it('keeps its run while it lives, however long that lasts', async () => {
    const alive = await aProcessThatRuns(400);
    const { lines, logger } = aRecordingLogger();
    const job = aSharedJob(HOUR_MS);
    const other = rig.process({ leaseMs: 400, logger });
    await other.schedule(job.by('other', systemClock));
    // Five leases: counted by what Redis says of the lock, which is renewed again and again.
    const lock = `${rig.prefix}:retention:now:lock`;
    const lefts = [0];
    await until(async () => {
      lefts.push(await rig.redis.pttl(lock));
      return lefts.filter((leftMs, n) => leftMs > (lefts[n - 1] ?? Infinity)).length > 5;
    });
    expect(Math.min(...lefts)).toBe(0); // never without its lock, which would be negative
    expect([job.runs, lines]).toEqual([[], []]);
    await alive.kill();
  });
});

describe('R43: jobs go on whatever Redis does', () => {
  it('R43: a process that cannot reach Redis for a lease aborts its run, and another takes it over', async () => {
    const { url, proxy } = await aProxiedRedis();
    const { lines, logger } = aRecordingLogger();
    const job = aSharedJob(HOUR_MS);
    const cutOff = rig.process({ url, leaseMs: 1_000, logger });
    await cutOff.schedule(job.by('cut off', systemClock, { held: true }));
    void cutOff.runNow('retention').catch(() => undefined);
    await until(() => job.runs.length === 1);
    await rig.process({ leaseMs: 1_000 }).schedule(job.by('other', systemClock));
    await proxy.add({ kind: 'timeout', direction: 'both' });
    await until(() => job.runs.length === 2);
    expect(job.runs.map(({ by, signal }) => [by, signal.aborted])).toEqual([
      ['cut off', true],
      ['other', false],
    ]);
    expect(job.mostAtATime()).toBe(1);
    expect(lines.map(([message]) => message)).toContain(
      'A job was aborted because Redis could not be reached; it may run elsewhere.',
    );
  });

  it('R43: Redis down at the start: scheduling neither fails nor waits, and turns come when it is there', async () => {
    const { url, proxy } = await aProxiedRedis();
    const { lines, logger } = aRecordingLogger();
    const down = await proxy.add({ kind: 'down' });
    const job = aSharedJob(100);
    const jobs = rig.process({ url, logger });
    await jobs.schedule(job.by('a', systemClock));
    await expect(jobs.runNow('retention')).rejects.toBeInstanceOf(JobsUnavailable);
    await down[Symbol.asyncDispose]();
    await until(() => job.runs.length > 0);
    expect(lines.map(([message]) => message)).toEqual([
      'Redis does not answer; jobs wait until it does.',
      'Redis answers again; jobs go on.',
    ]);
  });

  it('R43: Redis slow: whoever asks for a run hears that within the time for an answer', async () => {
    const { url, proxy } = await aProxiedRedis();
    const { clock } = rig.schedule('retention');
    const job = aSharedJob(HOUR_MS);
    const jobs = rig.process({ url, clock });
    await jobs.schedule(job.by('a', clock));
    const slow = await proxy.add({ kind: 'timeout', direction: 'both' });
    const before = clock.sleeping;
    const asked = jobs.runNow('retention').catch((error: unknown) => error);
    await until(() => clock.sleeping > before);
    await clock.advance(5_000);
    expect(await asked).toBeInstanceOf(JobsUnavailable);
    await slow[Symbol.asyncDispose]();
    await jobs.runNow('retention');
  });

  it('R43: Redis flushed: the schedule is made anew', async () => {
    const { clock, pass } = rig.schedule('retention');
    const job = aSharedJob();
    await rig.process({ clock }).schedule(job.by('a', clock));
    await rig.redis.unlink(await rig.redis.keys(`${rig.prefix}:*`));
    await clock.advance(15_000);
    await until(async () => (await rig.queue('retention').getDelayedCount()) === 1);
    expect(await rig.queue('retention').getGlobalConcurrency()).toBe(1);
    await pass(1_000);
    await until(() => job.runs.length === 1);
  });

  it.each(['meta', 'wait', 'delayed', 'repeat', 'active', 'marker', 'events'])(
    'R43: a key of another type (%s) is mended',
    async (key) => {
      const job = aSharedJob(200);
      const jobs = rig.process();
      await jobs.schedule(job.by('a', systemClock));
      await until(() => job.runs.length > 0);
      await rig.redis
        .multi()
        .unlink(`${rig.prefix}:retention:${key}`)
        .set(`${rig.prefix}:retention:${key}`, 'x')
        .exec();
      const known = job.runs.length;
      await until(() => job.runs.length > known + 2);
    },
  );

  it('R43: Redis restarted or killed: turns go on, whether it kept its data or not', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'freshet-redis-'));
    await using engine = await startRedis({ dir });
    await using own = new JobsRig(engine.url);
    const { lines, logger } = aRecordingLogger();
    const job = aSharedJob(200);
    await own.process({ url: engine.url, logger }).schedule(job.by('a', systemClock));
    for (const keep of [true, false]) {
      await until(() => job.runs.length > 0);
      if (!keep) await own.redis.flushall();
      await engine.kill('SIGKILL');
      await until(() => lines.at(-1)?.[0] === 'Redis does not answer; jobs wait until it does.');
      job.runs.length = 0;
      await engine.restart();
      await until(() => job.runs.length > 2);
    }
    await own[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  it('R43: a process whose Redis is gone stops, and exits', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'freshet-redis-'));
    await using engine = await startRedis({ dir });
    const process = await aProcessThatRuns(30_000, engine.url);
    await engine.kill('SIGKILL');
    expect(await process.stop()).toBe(0);
    await rm(dir, { recursive: true, force: true });
  });
});
