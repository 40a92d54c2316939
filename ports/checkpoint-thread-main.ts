import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../runtime/clock.ts';
import { LogUnavailable } from '../runtime/errors.ts';
import type { CheckpointFile, CheckpointMessage } from './checkpoint-thread.ts';
import { Sqlite } from './sqlite.ts';

/** How often it looks for what was committed, ms. Pages that are written again meanwhile are copied once. */
const EVERY_MS = 250;
/** Bytes of the write-ahead log from which on the writer is asked to finish a checkpoint: it alone can do so while it writes all the time. */
const LONG_BYTES = 33_554_432;

const { path, remedy } = workerData as CheckpointFile;
const db = new Sqlite({ path, remedy, busy: (message, cause) => new LogUnavailable(message, cause) });
const closing = new AbortController();
let seen: bigint | undefined;

parentPort?.on('message', () => closing.abort());
tell('ready');
while (!closing.signal.aborted) {
  copy();
  await systemClock.sleep(EVERY_MS, closing.signal).catch(() => undefined);
}
db.close();
parentPort?.close();

function copy(): void {
  try {
    const version = db.dataVersion();
    if (version === seen) return;
    const bytes = db.copyLog();
    seen = version;
    if (bytes > LONG_BYTES) tell('long');
  } catch {
    // the writer meets the same failure, and tells
  }
}

function tell(message: CheckpointMessage): void {
  parentPort?.postMessage(message);
}
