import { once, type EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import pg from 'pg';
import { FreshetError, SourceMisconfigured, SourceUnavailable } from '../../runtime/errors.ts';

/**
 * What decides how values are printed is fixed per session, so that a key's text never depends on a server's or a role's settings:
 * snapshot and stream must print the same row alike, today and after a change of the server's time zone.
 */
const SESSION_SETTINGS = `SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmloption = 'content'; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0`;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;

/** A row with every column as the server prints it. */
export type TextRow = Readonly<Record<string, string | null>>;

/** pg's own connection below a client: not in its types, but needed for the replication protocol and for pausing the socket. */
interface WireConnection extends EventEmitter {
  readonly stream: Socket;
  sendCopyFromChunk(chunk: Buffer): void;
}

/** One PostgreSQL session. Every column comes as text; errors are ours. Disposing closes it at once. */
export class PgSession implements AsyncDisposable {
  readonly client: pg.Client;
  private readonly source: string;
  private failure: FreshetError | undefined;
  /** Ends when the last statement has: pg wants one at a time. */
  private idle: Promise<unknown> = Promise.resolve();
  private readonly lostListeners = new Set<(error: FreshetError) => void>();

  private constructor(client: pg.Client, source: string) {
    this.client = client;
    this.source = source;
    const lost = (error: Error): void => {
      this.failure ??= classifyPgError(error, source);
      for (const listener of this.lostListeners) listener(this.failure);
    };
    client.on('error', lost);
    client.on('end', () => lost(new Error('the connection was closed')));
  }

  /**
   * Opens a session; with `replication` one that also takes replication commands.
   * @throws SourceUnavailable or SourceMisconfigured
   */
  static async open(
    url: string,
    options: { readonly source: string; readonly replication?: boolean },
    signal: AbortSignal,
  ): Promise<PgSession> {
    signal.throwIfAborted();
    const config: pg.ClientConfig & { replication?: string } = {
      connectionString: url,
      application_name: `freshet ${options.source}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      types: { getTypeParser: () => (text: string) => text } as pg.CustomTypesConfig,
      ...(options.replication && { replication: 'database' }),
    };
    let session: PgSession | undefined;
    try {
      session = new PgSession(new pg.Client(config), options.source);
      await abortable(session.client.connect(), signal);
      await abortable(session.client.query(SESSION_SETTINGS), signal);
      return session;
    } catch (error) {
      await session?.[Symbol.asyncDispose]();
      signal.throwIfAborted();
      throw classifyPgError(error, options.source);
    }
  }

  get wire(): WireConnection {
    return (this.client as unknown as { readonly connection: WireConnection }).connection;
  }

  /** Process number of the server's side; 0 before the connection is there. */
  get backendPid(): number {
    return (this.client as unknown as { readonly processID: number | null }).processID ?? 0;
  }

  /** Calls back once the connection is lost, also when it is already. */
  onLost(listener: (error: FreshetError) => void): void {
    this.lostListeners.add(listener);
    if (this.failure) listener(this.failure);
  }

  /** Runs one statement. @throws SourceUnavailable or SourceMisconfigured, or the signal's reason. */
  async query(text: string, values: readonly unknown[], signal: AbortSignal): Promise<TextRow[]> {
    const run = async (): Promise<TextRow[]> => {
      signal.throwIfAborted();
      if (this.failure) throw this.failure;
      // Without values the simple protocol is used, which alone takes replication commands.
      const query =
        values.length > 0 ? this.client.query<TextRow>(text, [...values]) : this.client.query<TextRow>(text);
      return (await query).rows;
    };
    const result = this.idle.then(run);
    this.idle = result.catch(() => undefined);
    try {
      return await abortable(result, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw classifyPgError(error, this.source);
    }
  }

  /** Closes without waiting for the server: what runs there is cancelled with the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.failure ??= new SourceUnavailable('The connection was closed.');
    this.lostListeners.clear();
    void this.client.end().catch(() => undefined);
    const { stream } = this.wire;
    stream.destroy();
    if (!stream.closed) await once(stream, 'close');
  }
}

/** Waits for a promise or the signal, whichever is first; a later failure of the promise is taken care of. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}

/** SQLSTATE of a server's error; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof FreshetError ? error.cause : error;
  const code = cause instanceof Error ? (cause as { code?: unknown }).code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}

/** Errors that waiting does not mend: credentials, a missing database, missing rights, missing tables, wrong settings. */
const MISCONFIGURED = /^(28...|3D000|42...|0A000|22023)$/;

/** Gives an error of the server or the network a class of ours. The server's message is kept: it names objects, never values of rows. */
export function classifyPgError(error: unknown, source: string): FreshetError {
  if (error instanceof FreshetError) return error;
  const state = sqlState(error);
  const message = error instanceof Error ? error.message : String(error);
  if (state && MISCONFIGURED.test(state))
    return new SourceMisconfigured(`PostgreSQL refuses source ${source}: ${message} (${state}).`, { cause: error });
  const suffix = state ? ` (${state})` : '';
  return new SourceUnavailable(`Source ${source}: ${message}${suffix}.`, { cause: error });
}

/** Quotes an identifier for SQL. */
export function quoteIdent(name: string): string {
  return pg.escapeIdentifier(name);
}

export function quoteLiteral(text: string): string {
  return pg.escapeLiteral(text);
}
