import { writeFileSync } from 'node:fs';
import { watchEventLoop } from './event-loop.ts';

/*
 * Preloaded into the product (`node --import`): on SIGUSR2 it writes how long the event loop was blocked since the last time into the file that
 * BENCH_LOOP_FILE names, as JSON.
 */
const file = process.env['BENCH_LOOP_FILE'];
if (file !== undefined) {
  const delays = watchEventLoop();
  process.on('SIGUSR2', () => writeFileSync(file, JSON.stringify(delays())));
}
