import { writeFileSync } from 'node:fs';
import { watchEventLoop } from './event-loop.ts';

/*
 * Preloaded into the product (`node --import`): on SIGUSR2 it writes how long the event loop was blocked since the last time into the file that
 * FRESHET_BENCH_LOOP names, as JSON.
 */
const file = process.env['FRESHET_BENCH_LOOP'];
if (file !== undefined) {
  const delays = watchEventLoop();
  process.on('SIGUSR2', () => writeFileSync(file, JSON.stringify(delays())));
}
