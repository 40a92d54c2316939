import { afterEach, describe, expect, it, vi } from 'vitest';
import { NotFound } from '../../runtime/errors.ts';
import type { Job, Jobs } from './jobs.ts';

/** A fresh schedule, and a way to let time pass for it. */
export interface OpenedJobs {
  readonly jobs: Jobs;
  readonly pass: (ms: number) => Promise<void>;
}

/** A job that counts its runs; each lasts until `finish`, or until it is aborted. */
function aJob(name: string, everyMs = 1_000) {
  const runs: { finish(error?: Error): void; readonly signal: AbortSignal }[] = [];
  const job: Job = {
    name,
    everyMs,
    run: (signal) =>
      new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        runs.push({ signal, finish: (error) => (error ? reject(error) : resolve()) });
      }),
  };
  return { job, runs };
}

/** What every schedule must do. */
export function jobsConformance(name: string, open: () => Promise<OpenedJobs>): void {
  describe(`jobs: ${name}`, () => {
    const opened: Jobs[] = [];
    const fresh = async (): Promise<OpenedJobs> => {
      const result = await open();
      opened.push(result.jobs);
      return result;
    };
    afterEach(async () => {
      for (const jobs of opened.splice(0)) await jobs[Symbol.asyncDispose]();
    });

    it('runs a job for the first time after its interval, and then again', async () => {
      const { jobs, pass } = await fresh();
      const { job, runs } = aJob('canary');
      await jobs.schedule(job);
      await pass(999);
      expect(runs).toHaveLength(0);
      await pass(1);
      await vi.waitUntil(() => runs.length === 1);
      runs[0]!.finish();
      await pass(1_000);
      await vi.waitUntil(() => runs.length === 2);
    });

    it('does not start a job again while it runs', async () => {
      const { jobs, pass } = await fresh();
      const { job, runs } = aJob('canary');
      await jobs.schedule(job);
      await pass(10_000);
      await vi.waitUntil(() => runs.length > 0);
      expect(runs).toHaveLength(1);
    });

    it('runs a failed job again at its next turn', async () => {
      const { jobs, pass } = await fresh();
      const { job, runs } = aJob('canary');
      await jobs.schedule(job);
      await pass(1_000);
      await vi.waitUntil(() => runs.length === 1);
      runs[0]!.finish(new Error('boom'));
      await pass(1_000);
      await vi.waitUntil(() => runs.length === 2);
    });

    it('replaces a job that is scheduled again under its name', async () => {
      const { jobs, pass } = await fresh();
      const former = aJob('canary');
      const later = aJob('canary');
      await jobs.schedule(former.job);
      await jobs.schedule(later.job);
      await pass(1_000);
      await vi.waitUntil(() => later.runs.length > 0);
      expect([former.runs.length, later.runs.length]).toEqual([0, 1]);
    });

    it('runs a job now when it is asked to, and says when it has ended', async () => {
      const { jobs } = await fresh();
      const { job, runs } = aJob('canary', 3_600_000);
      await jobs.schedule(job);
      let ended = false;
      const run = jobs.runNow('canary').then(() => (ended = true));
      await vi.waitUntil(() => runs.length === 1);
      expect(ended).toBe(false);
      runs[0]!.finish();
      await run;
    });

    it('joins the run that is going on instead of starting a second one', async () => {
      const { jobs } = await fresh();
      const { job, runs } = aJob('canary', 3_600_000);
      await jobs.schedule(job);
      const both = Promise.all([jobs.runNow('canary'), jobs.runNow('canary')]);
      await vi.waitUntil(() => runs.length === 1);
      runs[0]!.finish();
      await both;
      expect(runs).toHaveLength(1);
    });

    it('does not know a job that was never scheduled', async () => {
      const { jobs } = await fresh();
      await expect(jobs.runNow('missing')).rejects.toBeInstanceOf(NotFound);
    });

    it('aborts what runs when it is disposed, and starts nothing more', async () => {
      const { jobs, pass } = await fresh();
      const { job, runs } = aJob('canary');
      await jobs.schedule(job);
      await pass(1_000);
      await vi.waitUntil(() => runs.length === 1);
      await jobs[Symbol.asyncDispose]();
      expect(runs[0]!.signal.aborted).toBe(true);
      await pass(10_000);
      expect(runs).toHaveLength(1);
    });
  });
}
