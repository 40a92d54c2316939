import pg from 'pg';
import { FreshetError, SourceMisconfigured, SourceUnavailable } from '../../runtime/errors.ts';

/** A row with every column as the server prints it. */
export type TextRow = Readonly<Record<string, string | null>>;

const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 15_000;
/** Errors that waiting does not mend: credentials, a missing database, missing rights, missing tables, wrong settings. */
const MISCONFIGURED = /^(28...|3D000|42...|0A000|22023)$/;

/** One session with the source, to ask it about itself. Every column comes as text; errors are ours. Disposing closes it. */
export class PgSession implements AsyncDisposable {
  readonly #client: pg.Client;
  readonly #source: string;
  #lost: Error | undefined;
  /** Ends when the last statement has: pg wants one at a time. */
  #idle: Promise<unknown> = Promise.resolve();

  private constructor(client: pg.Client, source: string) {
    this.#client = client;
    this.#source = source;
    client.on('error', (error) => (this.#lost ??= error));
    client.on('end', () => (this.#lost ??= new Error('the connection was closed')));
  }

  /** @throws SourceUnavailable or SourceMisconfigured */
  static async open(url: string, source: string, signal: AbortSignal): Promise<PgSession> {
    signal.throwIfAborted();
    const client = new pg.Client({
      connectionString: url,
      application_name: `freshet ${source}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      types: { getTypeParser: () => (text: string) => text } as pg.CustomTypesConfig,
    });
    const session = new PgSession(client, source);
    try {
      await client.connect();
      signal.throwIfAborted();
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      signal.throwIfAborted();
      throw classify(error, source);
    }
  }

  /**
   * Runs one statement; an abort ends the session, and the statement with it.
   * @param timeoutMs how long the server may take; the default is for looking something up
   * @throws SourceUnavailable or SourceMisconfigured, or the signal's reason.
   */
  async query(
    text: string,
    values: readonly unknown[],
    signal: AbortSignal,
    timeoutMs = QUERY_TIMEOUT_MS,
  ): Promise<readonly TextRow[]> {
    const run = async (): Promise<readonly TextRow[]> => {
      signal.throwIfAborted();
      if (this.#lost) throw this.#lost;
      const query = { text, values: [...values], query_timeout: timeoutMs };
      return (await this.#client.query<TextRow>(query)).rows;
    };
    const result = this.#idle.then(run);
    this.#idle = result.catch(() => undefined);
    const stop = (): void => void this[Symbol.asyncDispose]();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await result;
    } catch (error) {
      signal.throwIfAborted();
      throw classify(error, this.#source);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lost ??= new Error('the connection was closed');
    await this.#client.end().catch(() => undefined);
  }
}

/** SQLSTATE of a server's error; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof FreshetError ? error.cause : error;
  const code = cause instanceof Error ? (cause as { code?: unknown }).code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}

/** The server's message is kept: it names objects, never values of rows. */
function classify(error: unknown, source: string): FreshetError {
  if (error instanceof FreshetError) return error;
  const state = sqlState(error);
  const message = `Source ${source}: ${error instanceof Error ? error.message : String(error)}${state ? ` (${state})` : ''}.`;
  if (state && MISCONFIGURED.test(state)) return new SourceMisconfigured(message, { cause: error });
  return new SourceUnavailable(message, { cause: error });
}

/** Quotes an identifier for SQL. */
export function quoteIdent(name: string): string {
  return pg.escapeIdentifier(name);
}
