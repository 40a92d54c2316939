import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { aSharedJob, HOUR_MS, JobsRig, until } from './bullmq-fixtures.ts';
import { jobsConformance } from './jobs.conformance.ts';

let rig: JobsRig;
beforeEach(() => {
  rig = new JobsRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

jobsConformance('bullmq', async () => {
  const { clock, pass } = rig.schedule('canary');
  return { jobs: rig.process({ clock }), pass };
});

describe('bullmq jobs over processes', () => {
  it('each turn is run once, by one process at a time', async () => {
    const { clock, queue, pass } = rig.schedule('retention');
    const job = aSharedJob();
    for (const name of ['a', 'b', 'c']) await rig.process({ clock }).schedule(job.by(name, clock));
    for (let turn = 1; turn <= 8; turn++) {
      await pass(1_000);
      await until(() => job.runs.length >= turn);
    }
    await until(async () => (await queue.getActiveCount()) === 0);
    expect(job.runs).toHaveLength(8);
    expect(job.mostAtATime()).toBe(1);
  });

  it('a turn that is due while the last one runs waits for it, in whatever process', async () => {
    const { clock, pass } = rig.schedule('retention');
    const job = aSharedJob();
    for (const name of ['a', 'b']) await rig.process({ clock }).schedule(job.by(name, clock, { held: true }));
    await pass(5_000);
    await until(() => job.runs.length === 1);
    job.runs[0]!.finish();
    await until(() => job.runs.length === 2);
    expect(job.mostAtATime()).toBe(1);
  });

  it('a process that comes later or starts again does not put a turn off', async () => {
    const { clock, pass } = rig.schedule('retention');
    const job = aSharedJob();
    const first = rig.process({ clock });
    await first.schedule(job.by('a', clock));
    const dueAtMs = clock.now() + 1_000;
    await pass(400);
    await first[Symbol.asyncDispose]();
    await rig.process({ clock }).schedule(job.by('b', clock));
    await pass(600);
    await until(() => job.runs.length === 1);
    expect(job.runs).toMatchObject([{ by: 'b', startedAtMs: dueAtMs }]);
  });

  it('a new interval replaces the old one', async () => {
    const { clock, pass } = rig.schedule('retention');
    const slow = aSharedJob(60_000);
    const quick = aSharedJob(1_000);
    await rig.process({ clock }).schedule(slow.by('a', clock));
    await rig.process({ clock }).schedule(quick.by('b', clock));
    await pass(1_000);
    await until(() => slow.runs.length + quick.runs.length === 1);
  });

  it('whoever asks for a run joins the one that goes on elsewhere', async () => {
    const job = aSharedJob(HOUR_MS);
    const [a, b] = [rig.process(), rig.process()];
    await a.schedule(job.by('a', systemClock, { held: true }));
    await b.schedule(job.by('b', systemClock, { held: true }));
    let ended = 0;
    const both = [a.runNow('retention'), b.runNow('retention')].map((run) => run.then(() => ended++));
    await until(() => job.runs.length === 1);
    expect(ended).toBe(0);
    job.runs[0]!.finish();
    await Promise.all(both);
    expect(job.runs).toHaveLength(1);
  });

  it('a caller who stops waiting for a run does not stop it', async () => {
    const job = aSharedJob(HOUR_MS);
    const jobs = rig.process();
    await jobs.schedule(job.by('a', systemClock, { held: true }));
    const patience = new AbortController();
    const asked = jobs.runNow('retention', patience.signal);
    await until(() => job.runs.length === 1);
    patience.abort(new Error('no more patience'));
    await expect(asked).rejects.toThrow('no more patience');
    expect(job.runs[0]!.signal.aborted).toBe(false);
  });

  it('a process that stops hands its run over at once', async () => {
    const job = aSharedJob(HOUR_MS);
    const [a, b] = [rig.process(), rig.process()];
    await a.schedule(job.by('a', systemClock, { held: true }));
    void a.runNow('retention');
    await until(() => job.runs.length === 1);
    await b.schedule(job.by('b', systemClock));
    await a[Symbol.asyncDispose]();
    await until(() => job.runs.length === 2);
    expect(job.runs.map(({ by, signal }) => [by, signal.aborted])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(job.mostAtATime()).toBe(1);
  });

  it('keeps a bounded history, with codes of errors and no messages', async () => {
    const { clock, queue, pass } = rig.schedule('retention');
    let failures = 0;
    await rig.process({ clock }).schedule({
      name: 'retention',
      everyMs: 1_000,
      run: () => {
        failures++;
        return Promise.reject(new Error('text of a document'));
      },
    });
    for (let turn = 1; turn <= 12; turn++) {
      await pass(1_000);
      await until(() => failures === turn);
    }
    await until(async () => (await queue.getActiveCount()) === 0);
    const failed = await queue.getFailed();
    expect(failed).toHaveLength(10);
    expect(JSON.stringify(failed)).not.toContain('text of a document');
    expect(failed[0]?.failedReason).toBe('FRESHET_UNCLASSIFIED');
  });

  it('starts no more than five runs of a job in a second, whoever asks', async () => {
    await rig.process().schedule(aSharedJob().by('a', systemClock));
    expect(await rig.queue('retention').getGlobalRateLimit()).toEqual({ max: 5, duration: 1_000 });
  });
});
