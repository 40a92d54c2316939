import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Clock } from '../../runtime/clock.ts';
import { JobsUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { within } from './within.ts';

/** Where the queues of a deployment's jobs lie. */
export interface TurnQueueParts {
  readonly connection: Redis;
  /** Begins every key. */
  readonly prefix: string;
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
/** How long Redis may take for one answer. */
const ANSWER_TIMEOUT_MS = 5_000;
const SCAN_KEYS = 500;

/** The turns of one job in Redis: the next one waits for its time, at most one is active over all processes. */
export class TurnQueue {
  readonly #queue: Queue;
  readonly #jobName: string;
  readonly #parts: TurnQueueParts;
  #mending: Promise<void> | undefined;
  #closed = false;

  constructor(jobName: string, parts: TurnQueueParts) {
    this.#jobName = jobName;
    this.#parts = parts;
    this.#queue = new Queue(queueName(jobName), { connection: parts.connection, prefix: parts.prefix });
    this.#queue.on('error', () => undefined); // its commands tell their callers
  }

  /**
   * Sees to it that the job has its turn every `everyMs` and that the next one is on its way. `error` is what gave reason to look: a
   * queue with a key of another type is made anew. One look at a time; whoever comes meanwhile waits for that one. Never rejects.
   */
  async mend(everyMs: number, error?: unknown): Promise<void> {
    if (this.#parts.connection.status !== 'ready' || this.#closed) return;
    this.#mending ??= this.#mendOnce(everyMs, error).finally(() => (this.#mending = undefined));
    await this.#mending;
  }

  /** Resolves when no look at the schedule goes on. Never rejects. */
  async settled(): Promise<void> {
    await this.#mending;
  }

  /** The turn that runs, in whatever process, else one that is asked for now. @throws JobsUnavailable */
  async current(signal: AbortSignal | undefined): Promise<string> {
    return this.#answered(async () => {
      const [active] = await this.#queue.getActive(0, 0);
      if (active?.id) return active.id;
      await this.#queue.add(SCHEDULE, {}, { jobId: ASKED_FOR, removeOnComplete: true, removeOnFail: true });
      return ASKED_FOR;
    }, signal);
  }

  /** @throws JobsUnavailable */
  async hasEnded(turnId: string, signal: AbortSignal | undefined): Promise<boolean> {
    const state = await this.#answered(() => this.#queue.getJobState(turnId), signal);
    return state === 'completed' || state === 'failed' || state === 'unknown';
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.close();
  }

  /** @throws JobsUnavailable when there is no answer in time, or the signal's reason. */
  async #answered<T>(ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    // Nothing is sent to a Redis that is away: the client would keep it, and run the job when nobody asks for it any more.
    if (this.#parts.connection.status !== 'ready') throw unreachable();
    try {
      const limits = { clock: this.#parts.clock, timeoutMs: ANSWER_TIMEOUT_MS, late: unreachable };
      return await within(ask(), limits, signal);
    } catch (error) {
      if (signal?.aborted || error instanceof JobsUnavailable) throw error;
      throw unreachable(error);
    }
  }

  async #mendOnce(everyMs: number, reason: unknown): Promise<void> {
    const { logger } = this.#parts;
    const job = this.#jobName;
    try {
      if (isWrongType(reason)) {
        logger.warn('The schedule of a job was damaged and is made anew.', { job });
        await this.#answered(() => this.#empty());
      }
      await this.#answered(() => this.#secure(everyMs));
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (isWrongType(cause) && !isWrongType(reason)) return this.#mendOnce(everyMs, cause);
      logger.debug('The schedule of a job could not be looked after.', { job }); // the next look comes by itself
    }
  }

  async #secure(everyMs: number): Promise<void> {
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
  async #empty(): Promise<void> {
    const { connection } = this.#parts;
    const pattern = `${this.#queue.toKey('').replace(/[\\*?[\]]/g, '\\$&')}*`;
    let cursor = '0';
    do {
      const [next, keys] = await connection.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_KEYS);
      if (keys.length > 0) await connection.unlink(keys);
      cursor = next;
    } while (cursor !== '0');
  }
}

/** BullMQ builds keys with colons, so that a name may have none. */
export function queueName(jobName: string): string {
  return encodeURIComponent(jobName);
}

function unreachable(cause?: unknown): JobsUnavailable {
  return new JobsUnavailable('Redis does not answer as it should, so no job can be asked for.', { cause });
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.includes('WRONGTYPE');
}
