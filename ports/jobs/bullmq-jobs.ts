import { Redis } from 'ioredis';
import type { Clock, Random } from '../../runtime/clock.ts';
import { NotFound } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { retryDelayMs } from '../../runtime/retry.ts';
import type { Job, Jobs } from './jobs.ts';
import { RecurringJob } from './recurring-job.ts';

/** Where the schedule lies that the processes of a deployment share. */
export interface BullmqJobsOptions {
  /** `redis://` or `rediss://`. Its `maxmemory-policy` should be `noeviction`: a lease that is evicted is a job that runs twice. */
  readonly url: string;
  /** Begins every key, without a colon at its end: deployments that share a Redis stay apart. */
  readonly prefix: string;
  /** How long a process may be silent before another takes over what it runs, ms. Default 30,000. */
  readonly leaseMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const DEFAULT_LEASE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than BullMQ blocks (10 s): a connection that owes an answer this long is half-open, and made anew. */
const SOCKET_TIMEOUT_MS = 20_000;
/** A socket that was ended is destroyed after this; the client would keep the process alive for 2 s. */
const DISCONNECT_TIMEOUT_MS = 50;
const MIN_RECONNECT_MS = 50;
const MAX_RECONNECT_MS = 5_000;

/**
 * Jobs over all processes of a deployment, by BullMQ. Every process schedules the same jobs; each turn is run by one of them. Nothing
 * is lost with Redis but the time of the next turn: a schedule that is gone is made anew.
 */
class BullmqJobs implements Jobs {
  readonly #options: BullmqJobsOptions;
  readonly #connection: Redis;
  /** BullMQ copies the connection for every worker, to block on it. */
  readonly #copies: Redis[] = [];
  readonly #jobs = new Map<string, RecurringJob>();
  #away = false;
  #disposed = false;

  constructor(options: BullmqJobsOptions) {
    const { url, random } = options;
    this.#options = options;
    this.#connection = new Redis(url, {
      maxRetriesPerRequest: null, // as BullMQ demands: its loops wait for Redis to come back
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (times) =>
        retryDelayMs(times, { minDelayMs: MIN_RECONNECT_MS, maxDelayMs: MAX_RECONNECT_MS, random }),
      // After a failover the old primary still answers, as a replica.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    const duplicate = this.#connection.duplicate.bind(this.#connection);
    this.#connection.duplicate = (changes) => {
      const copy = duplicate(changes);
      this.#copies.push(copy);
      return copy;
    };
    this.#connection.on('error', (error) => this.#lose(error));
    this.#connection.on('close', () => this.#lose());
    this.#connection.on('ready', () => this.#find());
  }

  /** Resolves when the schedule stands, or when Redis cannot be reached: it is made when Redis is back. */
  async schedule(job: Job): Promise<void> {
    const { prefix, leaseMs = DEFAULT_LEASE_MS, clock, logger } = this.#options;
    const former = this.#jobs.get(job.name);
    const current = former ?? new RecurringJob(job, { connection: this.#connection, prefix, leaseMs, clock, logger });
    this.#jobs.set(job.name, current);
    await former?.replace(job);
    await this.#firstAttempt();
    await current.mend();
  }

  async runNow(name: string, signal?: AbortSignal): Promise<void> {
    const job = this.#jobs.get(name);
    if (!job) throw new NotFound(`there is no job ${name}`);
    await job.runNow(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.all(Array.from(this.#jobs.values(), (job) => job[Symbol.asyncDispose]()));
    this.#jobs.clear();
    for (const connection of [...this.#copies, this.#connection]) connection.disconnect();
  }

  /** Resolves when the connection is there, or could not be made. */
  async #firstAttempt(): Promise<void> {
    if (this.#connection.status !== 'connecting' && this.#connection.status !== 'connect') return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#connection.off('ready', settle);
        this.#connection.off('close', settle);
        resolve();
      };
      this.#connection.on('ready', settle);
      this.#connection.on('close', settle);
    });
  }

  #lose(error?: Error): void {
    if (this.#away || this.#disposed) return;
    this.#away = true;
    this.#options.logger.warn('Redis does not answer; jobs wait until it does.', {
      reason: error === undefined ? 'the connection was closed' : ((error as NodeJS.ErrnoException).code ?? error.name),
    });
  }

  #find(): void {
    if (this.#away) this.#options.logger.info('Redis answers again; jobs go on.');
    this.#away = false;
    for (const job of this.#jobs.values()) void job.mend();
  }
}

/** Jobs that run once at a time per name over all processes that share the Redis and the prefix. */
export function bullmqJobs(options: BullmqJobsOptions): Jobs {
  return new BullmqJobs(options);
}
