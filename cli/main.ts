import { systemClock } from '../runtime/clock.ts';
import { listenForStop } from '../runtime/lifecycle.ts';
import { runCli } from './run-cli.ts';

/** What a shell reports for a process that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

// A reader that has gone (`freshet status | head -1`) is no error of ours: the verb goes on to its end, unheard.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(1);
});

using stop = listenForStop(process, () => process.exit(EXIT_INTERRUPTED));
const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  streams: {
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
  },
  clock: systemClock,
  fetch: globalThis.fetch,
  signal: stop.signal,
});
// What was written must be out before the exit, and a stray handle must not keep the process alive.
process.stdout.write('', () => process.exit(exitCode));
