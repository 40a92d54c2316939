import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { asUser, type ServerUser } from '../../cli/demo/postgres-binaries.ts';
import { systemClock } from '../../runtime/clock.ts';
import { waitUntil } from './wait-until.ts';

/** How one process of an engine is started. */
export interface Command {
  /** For messages, e.g. `kafka-1`. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** The user to run as; absent: ours. */
  readonly user?: ServerUser | undefined;
  /** Gets stdout and stderr, appended. */
  readonly logFile: string;
  /** Leaves the process running when ours ends. Otherwise it ends with us, even when we are killed. */
  readonly keep?: boolean;
  /** What makes the engine stop in order; SIGTERM unless told. */
  readonly stopSignal?: NodeJS.Signals;
  /** Whether the engine takes work, asked ten times a second. Errors mean no. */
  readonly isReady: (log: string, signal: AbortSignal) => Promise<boolean> | boolean;
  readonly readyTimeoutMs: number;
}

const PROBE_TIMEOUT_MS = 3_000;
/** After that a process that was asked to stop is killed. */
const STOP_TIMEOUT_MS = 20_000;
const LAST_LINES = 25;
/** Holds a pipe to us; when that breaks, we are gone, and the engine's process group goes too. */
const GUARD = 'cat >/dev/null; kill -KILL -- "-$1" 2>/dev/null';

/** One process of an engine, in a process group of its own (Elasticsearch's launcher starts the server as a child). */
export class EngineProcess {
  readonly name: string;
  readonly logFile: string;
  #command: Command;
  #child: ChildProcess | undefined;
  #guard: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #logStart = 0;

  constructor(command: Command) {
    this.#command = command;
    this.name = command.name;
    this.logFile = command.logFile;
  }

  /** 0 before the first start. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Starts the process and waits until it takes work.
   * @throws Error with the last lines of its log when it ends or is not ready in time; it is not left running then.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} is running already.`);
    this.#spawn();
    const { isReady, readyTimeoutMs } = this.#command;
    try {
      await waitUntil(
        `The start of ${this.name}`,
        readyTimeoutMs,
        async () => {
          if (!this.isRunning) throw new Error(`${this.name} ended while it was starting.`);
          return Promise.resolve(isReady(this.log(), AbortSignal.timeout(PROBE_TIMEOUT_MS))).catch(() => false);
        },
        signal,
      );
    } catch (cause) {
      const last = this.log().trimEnd().split('\n').slice(-LAST_LINES).join('\n');
      await this.kill('SIGKILL');
      if (signal?.aborted) throw cause;
      throw new Error(`${(cause as Error).message} Its log (${this.logFile}) ends with:\n${last}`, { cause });
    }
  }

  /** Sends a signal to the process group. Resolves when the process is gone, or at once for the signals that do not end it. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    signalGroup(this.pid, signal);
    if (signal !== 'SIGKILL' && signal !== 'SIGTERM' && signal !== 'SIGINT') return;
    await this.#exited;
  }

  /** Asks the process to stop; kills it when it takes too long or cannot, because it was paused with SIGSTOP. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const patience = new AbortController();
    signalGroup(this.pid, this.#command.stopSignal ?? 'SIGTERM');
    signalGroup(this.pid, 'SIGCONT');
    const tooLong = systemClock.sleep(STOP_TIMEOUT_MS, patience.signal).then(
      () => signalGroup(this.pid, 'SIGKILL'),
      () => undefined,
    );
    await this.#exited;
    patience.abort();
    await tooLong;
  }

  /** What the process has written since its last start. */
  log(): string {
    return readFileSync(this.logFile).subarray(this.#logStart).toString();
  }

  #spawn(): void {
    const { program, args, env, user, keep, logFile } = this.#command;
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a');
    try {
      this.#logStart = statSync(logFile).size;
      this.#child = spawn(program, args, {
        ...asUser(user),
        env: { ...process.env, ...env },
        stdio: ['ignore', log, log],
        detached: true,
      });
    } finally {
      closeSync(log);
    }
    const child = this.#child;
    if (keep) child.unref();
    else if (child.pid !== undefined) {
      this.#guard = spawn('/bin/sh', ['-c', GUARD, 'sh', String(child.pid)], {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
      this.#guard.unref();
    }
    const guard = this.#guard;
    this.#exited = new Promise((done) => {
      child.once('error', () => done()); // no such program: `isRunning` tells
      child.once('exit', () => {
        guard?.kill('SIGKILL'); // first: the number of the group may come again
        done();
      });
    });
  }
}

/** Sends a signal to a process group; one that is gone already is fine. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
