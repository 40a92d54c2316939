import { classify, type FreshetError } from '../../runtime/errors.ts';
import { retryDelayMs } from '../../runtime/retry.ts';
import type { Connector, ConnectorHealth } from '../connector.ts';
import { ConnectClient } from './connect-client.ts';
import { PostgresDatabase } from './postgres-database.ts';
import { ResyncRequired, type ResyncReason } from '../resync-required.ts';
import { discoverTopics } from '../captured-tables.ts';
import type { SourceDatabase } from './source-database.ts';
import { SourceSession, type DebeziumConnectorOptions, type Ownership } from './source-session.ts';
import { UnaskedDatabase } from './unasked-database.ts';

const BACKOFF = { minDelayMs: 200, maxDelayMs: 30_000 };
/** A source that is away for longer needs somebody to look. */
const ALARM_AFTER_MS = 60_000;

/**
 * Captures the tables of one database through Debezium on Kafka Connect: registers and looks after its connectors, says in every lane
 * how far they are, and has everything read again, in a new epoch, when changes are lost.
 */
export function debeziumConnector(options: DebeziumConnectorOptions): Connector {
  return new DebeziumConnector(options);
}

class DebeziumConnector implements Connector {
  readonly source: string;
  readonly #options: DebeziumConnectorOptions;
  readonly #connect: ConnectClient;
  readonly #ownership: Ownership = { instance: undefined };
  #status: ConnectorHealth = { state: 'connecting' };
  /** Once it has worked, a refusal is waited out: the operator's mend should not need a restart. */
  #hasWorked = false;
  #failures = 0;
  #failingSince: number | undefined;

  constructor(options: DebeziumConnectorOptions) {
    this.#options = options;
    this.source = options.config.name;
    this.#connect = new ConnectClient(options.connectUrl, secretsOf(options), options.clock);
  }

  health(): ConnectorHealth {
    return this.#status;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config, log, partitions } = this.#options;
    const topics = discoverTopics(config, partitions);
    let resync: ResyncReason | undefined;
    try {
      for (;;) {
        try {
          await log.createTopics(topics, signal);
          await this.#session(resync, signal);
        } catch (cause) {
          signal.throwIfAborted();
          resync = cause instanceof ResyncRequired ? cause.reason : undefined;
          await this.#recover(cause, signal);
        }
      }
    } catch (cause) {
      this.#connected(false);
      if (!signal.aborted) {
        const error = classify(cause);
        this.#status = { ...this.#status, state: 'failed', reason: error.message };
        throw error;
      }
      this.#status = { ...this.#status, state: 'stopped' };
    }
  }

  async #session(resync: ResyncReason | undefined, signal: AbortSignal): Promise<never> {
    await using database = await this.#openDatabase(signal);
    const parts = { connect: this.#connect, database, ownership: this.#ownership };
    return await new SourceSession(this.#options, parts, (change) => this.#show(change)).run(resync, signal);
  }

  async #openDatabase(signal: AbortSignal): Promise<SourceDatabase> {
    const { config, clock } = this.#options;
    return config.database === 'postgres'
      ? await PostgresDatabase.open(config, clock, signal)
      : new UnaskedDatabase(config, clock);
  }

  #show(change: Partial<ConnectorHealth>): void {
    const { reason: _reason, ...rest } = this.#status;
    const state = change.state ?? this.#status.state;
    // Why it resyncs stays shown until it streams again.
    this.#status = { ...(state === 'resyncing' && !('reason' in change) ? this.#status : rest), ...change };
    if (change.state === undefined) return;
    this.#hasWorked = true;
    this.#connected(change.state === 'streaming');
    if (change.state !== 'streaming') return;
    this.#failures = 0;
    this.#failingSince = undefined;
  }

  /** Waits before the next session, longer each time. @throws what no new session can mend */
  async #recover(cause: unknown, signal: AbortSignal): Promise<void> {
    const { clock, logger, metrics, random } = this.#options;
    const now = clock.monotonicMs();
    this.#connected(false);
    this.#failures++;
    this.#failingSince ??= now;
    const delayMs = retryDelayMs(this.#failures, { ...BACKOFF, random });
    const fields = { source: this.source, attempt: this.#failures, delayMs: Math.round(delayMs) };
    if (cause instanceof ResyncRequired) {
      this.#status = { ...this.#status, state: 'resyncing', reason: cause.reason };
      logger.warn('Changes of the source are lost; its tables are read again.', { ...fields, reason: cause.reason });
    } else {
      const error: FreshetError = classify(cause);
      if (!this.#canWaitOut(error)) throw error;
      metrics.retries.inc({ operation: 'connect-source', code: error.code });
      this.#status = { ...this.#status, state: 'connecting', reason: error.message };
      const level = now - this.#failingSince >= ALARM_AFTER_MS ? 'error' : 'warn';
      logger[level]('The source is not connected; it is tried again.', { ...fields, error });
    }
    await clock.sleep(delayMs, signal);
  }

  #canWaitOut(error: FreshetError): boolean {
    return error.fate === 'retry' || (this.#hasWorked && error.code === 'FRESHET_SOURCE_MISCONFIGURED');
  }

  #connected(is: boolean): void {
    this.#options.metrics.sourceConnected.set({ source: this.source }, is ? 1 : 0);
  }
}

function secretsOf({ config }: DebeziumConnectorOptions): readonly string[] {
  return [config.connection, config.connectConnection]
    .filter((url) => url !== undefined)
    .map((url) => decodeURIComponent(new URL(url).password));
}
