import { UnrecoverableError, WaitingError, Worker, type Job as Turn } from 'bullmq';
import { classify, JobsUnavailable } from '../../runtime/errors.ts';
import type { Job } from './jobs.ts';
import { queueName, TurnQueue, type TurnQueueParts } from './turn-queue.ts';
import { within } from './within.ts';

/** What the jobs of one process share. */
export interface RecurringJobParts extends TurnQueueParts {
  /** How long a process may be silent before another takes its run over, ms. */
  readonly leaseMs: number;
}

/** A turn that took down so many processes is given up; the next turn comes at its time. */
const MAX_TAKEOVERS = 3;
/** How often a schedule is looked after: Redis may have been flushed, or restored to an older state. */
const CHECK_EVERY_MS = 15_000;
/** How long a process that stops waits for Redis. */
const FAREWELL_MS = 5_000;
/** How often is asked whether a run has ended that goes on in another process. */
const POLL_MS = 250;
/** BullMQ asks again at once after an error of Redis (out of memory, wrong type); this holds it back. */
const REST_AFTER_ERROR_MS = 1_000;
/** Shares of the lease: a run is given up so long after its last renewal, and is looked at so often. Renewals come every half. */
const GIVE_UP_AT = 0.75;
const LOOK_EVERY = 0.125;

/** Why a run was aborted, as the reason of its signal. */
type Ending = 'stopped' | 'replaced' | 'lease lost';

interface Run {
  readonly turnId: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  /** On the clock's monotonic time. */
  renewedAtMs: number;
}

/** BullMQ's worker, and a way out of a `close` that waits for a Redis that does not answer. */
class TurnWorker extends Worker {
  /** Ends the timer that renews leases, which would keep the process alive. */
  async abandon(): Promise<void> {
    await this.lockManager.close();
  }
}

/**
 * One job in one process: it takes the turns of the job's queue that no other process takes. A process that dies, or cannot reach
 * Redis for a lease, loses its turn to another and aborts its own run.
 */
export class RecurringJob {
  readonly #parts: RecurringJobParts;
  readonly #turns: TurnQueue;
  readonly #worker: TurnWorker;
  readonly #over = new AbortController();
  #job: Job;
  #run: Run | undefined;
  #resting = false;
  /** Resolves when a turn has ended here, for Redis too. */
  #nextEnd = aSignal();

  constructor(job: Job, parts: RecurringJobParts) {
    this.#job = job;
    this.#parts = parts;
    const { connection, prefix, leaseMs } = parts;
    this.#turns = new TurnQueue(job.name, parts);
    this.#worker = new TurnWorker(queueName(job.name), (turn: Turn, token?: string) => this.#take(turn, token), {
      connection,
      prefix,
      concurrency: 1,
      lockDuration: leaseMs,
      stalledInterval: leaseMs / 2,
      maxStalledCount: MAX_TAKEOVERS,
      runRetryDelay: REST_AFTER_ERROR_MS,
    });
    this.#listen();
    void this.#look();
  }

  /** Puts another job under the same name; what runs of the former is aborted. */
  async replace(job: Job): Promise<void> {
    this.#job = job;
    await this.#end('replaced');
    await this.#turns.settled(); // it may be about the former's interval
  }

  /** Sees to it that there is a schedule, and that its next turn is on its way. Never rejects. */
  async mend(error?: unknown): Promise<void> {
    await this.#turns.mend(this.#job.everyMs, error);
  }

  /** @throws JobsUnavailable, or the signal's reason when it aborts; the run goes on then. */
  async runNow(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const turnId = this.#run?.turnId ?? (await this.#turns.current(signal));
    for (let ranHere = false; ;) {
      const ended = this.#nextEnd.promise;
      if (this.#run?.turnId === turnId) ranHere = true;
      else if (await this.#hasEnded(turnId, ranHere, signal)) return;
      await Promise.race([ended, this.#sleep(POLL_MS, signal)]);
      signal?.throwIfAborted();
      if (this.#over.signal.aborted) return;
    }
  }

  /**
   * Aborts what runs here and waits for its end. Another process may take the turn over at once. Whoever opened the connection
   * closes it afterwards, and its copies: BullMQ would wait for a Redis that is away to say goodbye.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#end('stopped');
    // Without Redis nothing can be handed over: the lease runs out instead.
    if (this.#parts.connection.status !== 'ready') await this.#worker.close(true);
    else await this.#inTime(this.#worker.close()).catch(() => this.#worker.abandon());
    await this.#turns.close();
  }

  #listen(): void {
    const wake = (): void => {
      const { resolve } = this.#nextEnd;
      this.#nextEnd = aSignal();
      resolve();
    };
    this.#worker.on('completed', wake);
    this.#worker.on('failed', wake);
    this.#worker.on('error', (error) => void this.#rest(error));
    this.#worker.on('locksRenewed', () => {
      if (this.#run) this.#run.renewedAtMs = this.#parts.clock.monotonicMs();
    });
    this.#worker.on('lockRenewalFailed', (turns) => {
      if (this.#run && turns.includes(this.#run.turnId)) this.#run.stop.abort('lease lost' satisfies Ending);
    });
  }

  async #look(): Promise<void> {
    while (await this.#sleep(CHECK_EVERY_MS)) await this.mend();
  }

  /** False when this has been disposed of, or the signal has aborted. */
  async #sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
    const stop = signal ? AbortSignal.any([this.#over.signal, signal]) : this.#over.signal;
    return this.#parts.clock.sleep(ms, stop).then(
      () => true,
      () => false,
    );
  }

  /** For Redis too: else the next who asks for a run would join the one that has just ended. */
  async #hasEnded(turnId: string, ranHere: boolean, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      return await this.#turns.hasEnded(turnId, signal);
    } catch (error) {
      if (ranHere && error instanceof JobsUnavailable) return true;
      throw error;
    }
  }

  async #end(how: Ending): Promise<void> {
    const run = this.#run;
    run?.stop.abort(how);
    await run?.ended;
  }

  /** Runs a turn here. @throws what BullMQ is to know of it: handed back, or failed. */
  async #take(turn: Turn, token: string | undefined): Promise<void> {
    const stop = new AbortController();
    const { promise: ended, resolve: end } = aSignal();
    const run: Run = { turnId: turn.id ?? '', stop, ended, renewedAtMs: this.#parts.clock.monotonicMs() };
    this.#run = run;
    const done = new AbortController();
    void this.#guardLease(run, done.signal);
    if (this.#over.signal.aborted) stop.abort('stopped' satisfies Ending);
    try {
      stop.signal.throwIfAborted();
      await this.#job.run(stop.signal);
    } catch (error) {
      await this.#settle(error, turn, token, stop.signal);
    } finally {
      done.abort();
      this.#run = undefined;
      end();
    }
  }

  async #settle(error: unknown, turn: Turn, token: string | undefined, stop: AbortSignal): Promise<void> {
    const { connection, logger } = this.#parts;
    const job = this.#job.name;
    switch (stop.aborted ? (stop.reason as Ending) : undefined) {
      case 'stopped':
        // Not a failure: another process takes the turn at once, or this one after its restart.
        if (connection.status === 'ready') await this.#inTime(turn.moveToWait(token)).catch(() => undefined);
        throw new WaitingError();
      case 'replaced':
        return;
      case 'lease lost':
        logger.warn('A job was aborted because Redis could not be reached; it may run elsewhere.', { job });
        throw new UnrecoverableError('lease lost');
      case undefined: {
        const known = classify(error);
        logger.warn('A job failed and runs again at its next turn.', { job, error: known });
        throw new UnrecoverableError(known.code); // Redis keeps the code, and no message
      }
    }
  }

  /** Aborts a run whose lease may be over: another process takes its turn then. */
  async #guardLease(run: Run, done: AbortSignal): Promise<void> {
    const { clock, leaseMs } = this.#parts;
    while (await this.#sleep(leaseMs * LOOK_EVERY, done)) {
      if (clock.monotonicMs() - run.renewedAtMs > leaseMs * GIVE_UP_AT) run.stop.abort('lease lost' satisfies Ending);
    }
  }

  /** After an error that Redis answered: a look at the schedule, and a pause. Lost connections come back by themselves. */
  async #rest(error: Error): Promise<void> {
    if (this.#resting || this.#parts.connection.status !== 'ready') return;
    this.#resting = true;
    // Its first word (`WRONGTYPE`, `OOM`) and not its keys.
    const [reason = ''] = error.message.split(' ', 1);
    this.#parts.logger.debug('Redis answered an error to the queue of a job.', { job: this.#job.name, reason });
    await this.#worker.pause(true);
    await this.mend(error);
    if (await this.#sleep(REST_AFTER_ERROR_MS)) await this.#worker.resume();
    this.#resting = false;
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const late = (): Error => new Error('Redis did not answer');
    return within(work, { clock: this.#parts.clock, timeoutMs: FAREWELL_MS, late });
  }
}

function aSignal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
