import { classify, type FreshetError } from '../../runtime/errors.ts';
import { retryDelayMs } from '../../runtime/retry.ts';
import type { Connector, ConnectorHealth } from '../connector.ts';
import { ResyncRequired, type ResyncReason } from '../resync-required.ts';
import { discoverTopics } from '../captured-tables.ts';
import type { Ownership, PostgresConnectorOptions } from './source-context.ts';
import { SourceSession } from './source-session.ts';

const BACKOFF = { minDelayMs: 200, maxDelayMs: 30_000 };
/** A source that is away for longer needs somebody to look. */
const ALARM_AFTER_MS = 60_000;

/** Captures the tables of one PostgreSQL database by logical decoding and appends their changes to the log. */
export function postgresConnector(options: PostgresConnectorOptions): Connector {
  return new PostgresConnector(options);
}

class PostgresConnector implements Connector {
  readonly source: string;
  private readonly options: PostgresConnectorOptions;
  private readonly ownership: Ownership = { instance: undefined, lastBackendPid: undefined };
  private status: ConnectorHealth = { state: 'connecting' };
  /** Once it has worked, a refusal is waited out: the operator's mend should not need a restart. */
  private hasWorked = false;
  private failures = 0;
  private failingSince: number | undefined;

  constructor(options: PostgresConnectorOptions) {
    this.options = options;
    this.source = options.config.name;
  }

  health(): ConnectorHealth {
    return this.status;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config, log, partitions } = this.options;
    const topics = discoverTopics(config, partitions);
    let resync: ResyncReason | undefined;
    try {
      for (;;) {
        try {
          await log.createTopics(topics, signal);
          await this.connectOnce(resync, signal);
        } catch (cause) {
          signal.throwIfAborted();
          resync = cause instanceof ResyncRequired ? cause.reason : undefined;
          await this.recover(cause, signal);
        }
      }
    } catch (cause) {
      this.connected(false);
      if (!signal.aborted) {
        const error = classify(cause);
        this.status = { ...this.status, state: 'failed', reason: error.message };
        throw error;
      }
      this.status = { ...this.status, state: 'stopped' };
    }
  }

  /** One connection, from the checks at its start to its end. */
  private async connectOnce(resync: ResyncReason | undefined, signal: AbortSignal): Promise<never> {
    const show = (change: Partial<ConnectorHealth>): void => {
      const { reason: _reason, ...rest } = this.status;
      this.status = { ...('state' in change ? rest : this.status), ...change };
      if (change.state !== undefined) this.hasWorked = true;
      if (change.state === 'streaming') this.connected(true);
      if (change.position !== undefined && this.status.state === 'streaming') this.working();
    };
    return await new SourceSession(this.options, this.ownership, show).run(resync, signal);
  }

  private working(): void {
    this.failures = 0;
    this.failingSince = undefined;
  }

  /** Waits before the next connection, longer each time. @throws what no new connection can mend */
  private async recover(cause: unknown, signal: AbortSignal): Promise<void> {
    const { clock, logger, metrics } = this.options;
    const now = clock.monotonicMs();
    this.connected(false);
    this.failures++;
    this.failingSince ??= now;
    const delayMs = retryDelayMs(this.failures, { ...BACKOFF, random: this.options.random });
    const fields = { source: this.source, attempt: this.failures, delayMs: Math.round(delayMs) };
    if (cause instanceof ResyncRequired) {
      this.status = { ...this.status, state: 'resyncing', reason: cause.reason };
      logger.warn('Changes of the source are lost; its tables are read again.', { ...fields, reason: cause.reason });
    } else {
      const error: FreshetError = classify(cause);
      if (!this.canWaitOut(error)) throw error;
      metrics.retries.inc({ operation: 'connect-source', code: error.code });
      this.status = { ...this.status, state: 'connecting', reason: error.message };
      const level = now - this.failingSince >= ALARM_AFTER_MS ? 'error' : 'warn';
      logger[level]('The source is not connected; it is tried again.', { ...fields, error });
    }
    await clock.sleep(delayMs, signal);
  }

  private canWaitOut(error: FreshetError): boolean {
    return error.fate === 'retry' || (this.hasWorked && error.code === 'FRESHET_SOURCE_MISCONFIGURED');
  }

  private connected(is: boolean): void {
    this.options.metrics.sourceConnected.set({ source: this.source }, is ? 1 : 0);
  }
}
