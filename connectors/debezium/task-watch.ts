import type { Clock, Random } from '../../runtime/clock.ts';
import { SourceUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { retryDelayMs } from '../../runtime/retry.ts';
import type { ConnectClient, ConnectorOffset } from './connect-client.ts';
import { ResyncRequired } from '../resync-required.ts';

/** One that runs; others are looked at every time. */
const LOOK_EVERY_MS = 1_000;
/** A connector that was registered shows a moment later; one that stays away was removed. */
const MISSING_MS = 5_000;
const RESTART_BACKOFF = { minDelayMs: 1_000, maxDelayMs: 60_000 };

/** What Debezium says when the database's log no longer reaches back to where the stream was. */
const LOG_LOST =
  /no longer available on the server|could not find first log file|purged|ChangeStreamHistoryLost|resume (token|point).*(not|no longer)|can no longer get changes from replication slot|trust_offset/i;

/** Looks after one connector on Kafka Connect: starts what has failed again, with growing delays, and never pauses anything. */
export class TaskWatch {
  readonly #name: string;
  readonly #connect: ConnectClient;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #missingSinceMs: number | undefined;
  #restarts = 0;
  #restartDueMs: number | undefined;
  #fault: string | undefined;
  /** Since when connector and task have run at every look. */
  #runningSinceMs: number | undefined;
  #hasFailed = false;
  /** What Kafka Connect has committed, as last read. */
  offset: ConnectorOffset | undefined;

  constructor(
    name: string,
    connect: ConnectClient,
    { clock, random, logger }: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
  ) {
    this.#name = name;
    this.#connect = connect;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
  }

  /** Whether connector and task ran when they were looked at last. */
  get isRunning(): boolean {
    return this.#runningSinceMs !== undefined;
  }

  /** How long connector and task have run without a break, as far as it was looked at, ms. */
  get runningMs(): number {
    return this.#runningSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#runningSinceMs;
  }

  /** Starts a task again that calls itself running and does nothing. */
  async restartHung(signal: AbortSignal): Promise<void> {
    this.#runningSinceMs = undefined;
    this.#logger.warn('A task of Kafka Connect runs and reads nothing; it is started again.', {
      connector: this.#name,
    });
    await this.#connect.restart(this.#name, signal);
  }

  /** Whether connector or task had failed when they were looked at last. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * @returns what is wrong, in a few words; undefined when all is well
   * @throws ResyncRequired when the task has failed because its place in the database's log is gone, SourceUnavailable when somebody
   *   has removed the connector
   */
  async look(signal: AbortSignal): Promise<string | undefined> {
    const now = this.#clock.monotonicMs();
    if (this.isRunning && now - this.#lookedMs < LOOK_EVERY_MS) return this.#fault;
    this.#lookedMs = now;
    const status = await this.#connect.status(this.#name, signal);
    const task = status?.tasks[0];
    const isRunning = status?.state === 'RUNNING' && task?.state === 'RUNNING';
    this.#runningSinceMs = isRunning ? (this.#runningSinceMs ?? now) : undefined;
    this.#hasFailed = status?.state === 'FAILED' || task?.state === 'FAILED';
    if (isRunning) {
      this.#restartDueMs = undefined;
      this.#restarts = 0;
      return (this.#fault = undefined);
    }
    if (!status) {
      this.#missingSinceMs ??= now;
      if (now - this.#missingSinceMs > MISSING_MS)
        throw new SourceUnavailable(`Kafka Connect has no connector ${this.#name}; it is registered again.`);
      return (this.#fault = 'Kafka Connect does not know the connector yet.');
    }
    this.#missingSinceMs = undefined;
    if (!this.#hasFailed) return (this.#fault = `Kafka Connect says ${status.state}, task ${task?.state ?? 'none'}.`);
    if (LOG_LOST.test(task?.trace ?? '')) throw new ResyncRequired('log-lost');
    this.#fault = `The task has failed: ${this.#connect.reasonOf(task?.trace)}`;
    await this.#restart(now, signal);
    return this.#fault;
  }

  async #restart(now: number, signal: AbortSignal): Promise<void> {
    if (this.#restartDueMs === undefined) {
      const delayMs = retryDelayMs(++this.#restarts, { ...RESTART_BACKOFF, random: this.#random });
      this.#restartDueMs = now + delayMs;
      this.#logger.warn('A task of Kafka Connect has failed; it is started again.', {
        connector: this.#name,
        attempt: this.#restarts,
        delayMs: Math.round(delayMs),
        reason: this.#fault,
      });
    }
    if (now < this.#restartDueMs) return;
    this.#restartDueMs = undefined;
    await this.#connect.restartFailed(this.#name, signal);
  }
}
