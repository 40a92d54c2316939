import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { bullmqJobs } from './bullmq-jobs.ts';

/*
 * A process of a deployment for tests to kill: `node <this> <redis url> <prefix> <lease, ms>` starts a run of the job `retention` that
 * never ends, and prints a line as soon as it runs.
 */
const [url = '', prefix = '', leaseMs] = process.argv.slice(2);
const jobs = bullmqJobs({
  url,
  prefix,
  leaseMs: Number(leaseMs),
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
});
await jobs.schedule({
  name: 'retention',
  everyMs: 3_600_000,
  run: async (signal) => {
    process.stdout.write('running\n');
    await systemClock.sleep(3_600_000, signal);
  },
});
process.once('SIGTERM', () => void jobs[Symbol.asyncDispose]());
await jobs.runNow('retention');
