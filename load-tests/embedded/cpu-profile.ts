import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/** Samples between two looks at the stack, us. */
const INTERVAL_US = 500;

/** Runs `work`; with BENCH_PROFILE, a folder, it leaves a CPU profile of it there, for the developer tools of Chrome. */
export async function profiled<T>(name: string, work: () => Promise<T>): Promise<T> {
  const folder = process.env['BENCH_PROFILE'];
  if (folder === undefined) return work();
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  await session.post('Profiler.start');
  try {
    return await work();
  } finally {
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(join(folder, `${name}.cpuprofile`), JSON.stringify(profile));
    session.disconnect();
  }
}
