import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../runtime/clock.ts';
import type { Sqlite } from './sqlite.ts';

/** The file whose log is copied, and what an operator does when it is damaged. */
export interface CheckpointFile {
  readonly path: string;
  readonly remedy: string;
}

/** What the thread says: it is at work; the log is long and is only begun anew if the writer finishes a checkpoint. */
export type CheckpointMessage = 'ready' | 'long';

/** The thread's program; beside this file once it is compiled. */
const PROGRAM = new URL('./checkpoint-thread-main.js', import.meta.url);
/** The thread begins so long after the file was opened, so that it does not take part in the start of the process, ms. */
const BEGINS_AFTER_MS = 1_000;

/**
 * Copies the write-ahead log of a file into its database in a thread with a connection of its own. SQLite does it within the COMMIT that makes
 * the log too long, where it holds up the event loop for some ten milliseconds; so it does here, too, before the thread is there and when it has died.
 */
export class CheckpointThread {
  readonly #db: Sqlite;
  readonly #file: CheckpointFile;
  readonly #closing = new AbortController();
  readonly #begun: Promise<void>;
  #worker: Worker | undefined;

  constructor(db: Sqlite, clock: Clock, file: CheckpointFile) {
    this.#db = db;
    this.#file = file;
    this.#begun = this.#begin(clock);
  }

  /** Resolves when the thread has closed the file; before that the writer must not. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#begun;
    const worker = this.#worker;
    if (!worker) return;
    worker.ref();
    worker.postMessage('close');
    await once(worker, 'exit').catch(() => undefined); // it has died of an error: then the file is closed
  }

  async #begin(clock: Clock): Promise<void> {
    // A thread can only be of a compiled program; nobody else sees a database in memory.
    if (this.#db.isMemory || !import.meta.url.endsWith('.js')) return;
    await clock.sleep(BEGINS_AFTER_MS, this.#closing.signal).catch(() => undefined);
    if (this.#closing.signal.aborted) return;
    const worker = new Worker(PROGRAM, { workerData: this.#file, name: 'freshet-checkpoint' });
    worker.unref();
    worker.on('message', (message: CheckpointMessage) => this.#hear(message));
    worker.on('error', () => undefined); // it exits
    worker.on('exit', () => {
      this.#worker = undefined;
      if (!this.#closing.signal.aborted) this.#db.copyLogAtCommit(true);
    });
    this.#worker = worker;
  }

  #hear(message: CheckpointMessage): void {
    if (this.#closing.signal.aborted) return;
    if (message === 'ready') this.#db.copyLogAtCommit(false);
    // Little is left to copy, and nobody writes meanwhile: the next transaction finds all of it copied, and begins the log anew.
    else this.#db.copyLog();
  }
}
