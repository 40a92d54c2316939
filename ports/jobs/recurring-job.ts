import { Queue, UnrecoverableError, WaitingError, Worker, type Job as Turn } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Clock } from '../../runtime/clock.ts';
import { classify, JobsUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Job } from './jobs.ts';
import { within } from './within.ts';

/** What the jobs of one process share. */
export interface RecurringJobParts {
  readonly connection: Redis;
  /** Begins every key. */
  readonly prefix: string;
  /** How long a process may be silent before another takes its run over, ms. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The one schedule of a job's queue. */
const SCHEDULE = 'turn';
/** The id of a run that was asked for: two who ask share it. */
const ASKED_FOR = 'now';
/** Ended turns that stay to be looked at. */
const KEPT_TURNS = 10;
/** Runs of one job that may start within a second, over all processes, whoever asks for them. */
const MAX_RUNS_PER_SECOND = 5;
/** A turn that took down so many processes is given up; the next turn comes at its time. */
const MAX_TAKEOVERS = 3;
/** How often a schedule is looked after: Redis may have been flushed, or restored to an older state. */
const CHECK_EVERY_MS = 15_000;
/** How long Redis may take to answer whoever asks for a run or stops. */
const ANSWER_TIMEOUT_MS = 5_000;
/** How often is asked whether a run has ended that goes on in another process. */
const POLL_MS = 250;
/** BullMQ asks again at once after an error of Redis (out of memory, wrong type); this holds it back. */
const REST_AFTER_ERROR_MS = 1_000;
/** Shares of the lease: a run is given up so long after its last renewal, and is looked at so often. Renewals come every half. */
const GIVE_UP_AT = 0.75;
const LOOK_EVERY = 0.125;

type Ending = 'stopped' | 'replaced' | 'lease lost';

interface Run {
  readonly turnId: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  /** On the clock's monotonic time. */
  renewedAtMs: number;
}

/**
 * One job: a queue of its own in Redis, whose turns are taken by one process at a time. The queue's concurrency is bounded to one over
 * all processes; a process that dies, or cannot reach Redis for a lease, loses its turn to another and aborts its own run.
 */
export class RecurringJob {
  readonly #parts: RecurringJobParts;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #over = new AbortController();
  #job: Job;
  #run: Run | undefined;
  #mending: Promise<void> | undefined;
  #resting = false;
  #turnEnded: (() => void)[] = [];

  constructor(job: Job, parts: RecurringJobParts) {
    this.#job = job;
    this.#parts = parts;
    const { connection, prefix, leaseMs } = parts;
    // BullMQ builds keys with colons.
    const name = encodeURIComponent(job.name);
    this.#queue = new Queue(name, { connection, prefix });
    this.#worker = new Worker(name, (turn: Turn, token?: string) => this.#take(turn, token), {
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
    await this.#mending; // it may be about the former's interval
  }

  /** Sees to it that there is a schedule, and that its next turn is on its way. Never rejects. */
  async mend(): Promise<void> {
    if (this.#parts.connection.status !== 'ready' || this.#over.signal.aborted) return;
    this.#mending ??= this.#mendOnce().finally(() => (this.#mending = undefined));
    await this.#mending;
  }

  /** @throws JobsUnavailable, or the signal's reason when it aborts; the run goes on then. */
  async runNow(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#run) return abortable(this.#run.ended, signal);
    if (this.#parts.connection.status !== 'ready') throw unreachable();
    const { clock } = this.#parts;
    const turn = await within(this.#currentTurn(), { clock, timeoutMs: ANSWER_TIMEOUT_MS, late: unreachable }, signal);
    for (;;) {
      const ended = new Promise<void>((resolve) => this.#turnEnded.push(resolve));
      const state = await abortable(this.#queue.getJobState(turn), signal);
      if (state === 'completed' || state === 'failed' || state === 'unknown') return;
      await Promise.race([ended, this.#sleep(POLL_MS, signal)]);
      signal?.throwIfAborted();
      if (this.#over.signal.aborted) return;
    }
  }

  /** Aborts what runs here and waits for its end. Another process may take the turn over at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    this.#wakeWaiting();
    await this.#end('stopped');
    const { clock } = this.#parts;
    // Without Redis the turn cannot be handed over: its lease runs out instead.
    const late = (): Error => new Error('Redis did not answer');
    await within(this.#worker.close(), { clock, timeoutMs: ANSWER_TIMEOUT_MS, late }).catch(() => {
      void this.#worker.disconnect().catch(() => undefined);
    });
    await this.#queue.close();
  }

  #listen(): void {
    const { clock } = this.#parts;
    this.#queue.on('error', () => undefined); // its commands tell their callers
    this.#worker.on('error', (error) => void this.#rest(error));
    this.#worker.on('completed', () => this.#wakeWaiting());
    this.#worker.on('failed', () => this.#wakeWaiting());
    this.#worker.on('locksRenewed', () => {
      if (this.#run) this.#run.renewedAtMs = clock.monotonicMs();
    });
    this.#worker.on('lockRenewalFailed', (turns) => {
      if (this.#run && turns.includes(this.#run.turnId)) this.#run.stop.abort('lease lost' satisfies Ending);
    });
  }

  #wakeWaiting(): void {
    for (const wake of this.#turnEnded.splice(0)) wake();
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

  async #mendOnce(): Promise<void> {
    const { clock, logger } = this.#parts;
    const late = (): Error => unreachable();
    try {
      await within(this.#secureSchedule(), { clock, timeoutMs: ANSWER_TIMEOUT_MS, late });
    } catch (error) {
      if (!isWrongType(error)) {
        logger.debug('The schedule of a job could not be looked after.', { job: this.#job.name });
        return;
      }
      logger.warn('The schedule of a job was damaged and is made anew.', { job: this.#job.name });
      await within(this.#startOver(), { clock, timeoutMs: ANSWER_TIMEOUT_MS, late }).catch(() => undefined);
    }
  }

  async #secureSchedule(): Promise<void> {
    const { everyMs } = this.#job;
    // First, so that no turn is ever there without the bound.
    await this.#queue.setGlobalConcurrency(1);
    await this.#queue.setGlobalRateLimit(MAX_RUNS_PER_SECOND, 1_000);
    const schedule = await this.#queue.getJobScheduler(SCHEDULE);
    const turns = await this.#queue.getJobCounts('active', 'waiting', 'delayed', 'prioritized');
    // The next turn is made when the last one begins, so there is always one. Left alone, a schedule keeps its turns when processes
    // come and go.
    if (schedule?.every === everyMs && Object.values(turns).some((count) => count > 0)) return;
    await this.#queue.upsertJobScheduler(
      SCHEDULE,
      { every: everyMs, startDate: this.#parts.clock.now() + everyMs },
      { name: SCHEDULE, opts: { removeOnComplete: { count: KEPT_TURNS }, removeOnFail: { count: KEPT_TURNS } } },
    );
  }

  /** There is nothing in a queue that its job needs, except when the next turn comes. */
  async #startOver(): Promise<void> {
    const { connection } = this.#parts;
    const pattern = `${this.#queue.toKey('').replace(/[\\*?[\]]/g, '\\$&')}*`;
    let cursor = '0';
    do {
      const [next, keys] = await connection.scan(cursor, 'MATCH', pattern, 'COUNT', 500);
      if (keys.length > 0) await connection.unlink(keys);
      cursor = next;
    } while (cursor !== '0');
    await this.#secureSchedule();
  }

  /** The turn that runs, else one that was asked for now. */
  async #currentTurn(): Promise<string> {
    const [active] = await this.#queue.getActive(0, 0);
    if (active?.id) return active.id;
    await this.#queue.add(SCHEDULE, {}, { jobId: ASKED_FOR, removeOnComplete: true, removeOnFail: true });
    return ASKED_FOR;
  }

  async #end(how: Ending): Promise<void> {
    const run = this.#run;
    run?.stop.abort(how);
    await run?.ended;
  }

  /** Runs a turn here. @throws what BullMQ is to know of it: handed back, or failed. */
  async #take(turn: Turn, token: string | undefined): Promise<void> {
    const stop = new AbortController();
    const { promise: ended, resolve: end } = withResolver();
    const run: Run = { turnId: turn.id ?? '', stop, ended, renewedAtMs: this.#parts.clock.monotonicMs() };
    this.#run = run;
    const guard = new AbortController();
    void this.#guardLease(run, guard.signal);
    if (this.#over.signal.aborted) stop.abort('stopped' satisfies Ending);
    try {
      stop.signal.throwIfAborted();
      await this.#job.run(stop.signal);
    } catch (error) {
      await this.#settle(error, turn, token, stop.signal);
    } finally {
      guard.abort();
      this.#run = undefined;
      end();
    }
  }

  async #settle(error: unknown, turn: Turn, token: string | undefined, stop: AbortSignal): Promise<void> {
    const job = this.#job.name;
    switch (stop.aborted ? (stop.reason as Ending) : undefined) {
      case 'stopped':
        // Not a failure: another process takes the turn at once, or this one after its restart.
        if (this.#parts.connection.status === 'ready') await turn.moveToWait(token);
        throw new WaitingError();
      case 'replaced':
        return;
      case 'lease lost':
        this.#parts.logger.warn('A job was aborted because Redis could not be reached; it may run elsewhere.', { job });
        throw new UnrecoverableError('lease lost');
      case undefined: {
        const known = classify(error);
        this.#parts.logger.warn('A job failed and runs again at its next turn.', { job, error: known });
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

  /** After an error that Redis answered: a pause, and a look at the schedule. Lost connections come back by themselves. */
  async #rest(error: Error): Promise<void> {
    if (this.#resting || this.#parts.connection.status !== 'ready') return;
    this.#resting = true;
    this.#parts.logger.debug('Redis answered an error to the queue of a job.', {
      job: this.#job.name,
      reason: error.message.split(' ', 1)[0] ?? '',
    });
    await this.#worker.pause(true);
    await this.mend();
    if (await this.#sleep(REST_AFTER_ERROR_MS)) await this.#worker.resume();
    this.#resting = false;
  }
}

function unreachable(): JobsUnavailable {
  return new JobsUnavailable('Redis does not answer, so no job can be started.');
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.includes('WRONGTYPE');
}

async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  const { promise: aborted, resolve: abort } = withResolver();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([
      work,
      aborted.then((): never => {
        throw signal.reason;
      }),
    ]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
