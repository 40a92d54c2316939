import { expect, it } from 'vitest';
import { silentLogger, type LogFields } from '../../runtime/logger.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { inProcessJobs } from './in-process-jobs.ts';
import { jobsConformance } from './jobs.conformance.ts';

jobsConformance('in process', async () => {
  const clock = new FakeClock();
  return { jobs: inProcessJobs({ clock, logger: silentLogger }), pass: (ms) => clock.advance(ms) };
});

it('a failing job is logged with its name', async () => {
  const clock = new FakeClock();
  const warnings: [string, LogFields | undefined][] = [];
  const logger = { ...silentLogger, warn: (message: string, fields?: LogFields) => warnings.push([message, fields]) };
  await using jobs = inProcessJobs({ clock, logger });
  await jobs.schedule({ name: 'retention', everyMs: 1_000, run: () => Promise.reject(new Error('boom')) });
  await clock.advance(1_000);
  expect(warnings).toMatchObject([['A job failed and runs again at its next turn.', { job: 'retention' }]]);
});
