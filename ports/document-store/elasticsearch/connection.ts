import { Client } from '@elastic/elasticsearch';
import type { Clock, Random } from '../../../runtime/clock.ts';
import { InvalidConfig, type FreshetError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import { retry } from '../../../runtime/retry.ts';
import { classifyFailure } from './classify.ts';

/** Where Elasticsearch is and how it is spoken to. */
export interface ConnectionOptions {
  /** URLs of nodes; requests go round among them. */
  readonly nodes: readonly string[];
  readonly auth?: { readonly apiKey: string } | { readonly username: string; readonly password: string };
  /** PEM of the authority that signed the nodes' certificates. */
  readonly ca?: string;
  /** One request gives up after this, ms. */
  readonly requestTimeoutMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Pick<Metrics, 'retries'>;
}

/** One HTTP request. A list as body is sent as newline-delimited JSON, each element one line. */
export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: object | readonly string[];
}

/** Sends one request and gives back the parsed reply. @throws what the client throws. */
export type Send = (request: Request, signal?: AbortSignal) => Promise<unknown>;

const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** Attempts of a request that changes nothing; with these delays they take about 10 s. */
const READ_ATTEMPTS = 8;
const MIN_DELAY_MS = 50;
const MAX_DELAY_MS = 5_000;

/** The client, with its own retries off: whether a request may be repeated is known to the caller only. */
export function openClient(options: ConnectionOptions): Client {
  const { nodes, auth, ca, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = options;
  if (nodes.length === 0) throw new InvalidConfig('elasticsearch.nodes names no node.');
  return new Client({
    nodes: [...nodes],
    maxRetries: 0,
    requestTimeout: requestTimeoutMs,
    enableMetaHeader: false,
    ...(auth && { auth }),
    ...(ca !== undefined && { tls: { ca } }),
  });
}

/** How the client's transport sends a request. Path parts are encoded by the caller. */
export function sendBy(client: Client): Send {
  return (request, signal) => {
    const { method, path, query, body } = request;
    const lines = Array.isArray(body) ? (body as readonly string[]) : undefined;
    return client.transport.request(
      {
        method,
        path,
        ...(query && { querystring: query }),
        ...(lines ? { bulkBody: `${lines.join('\n')}\n` } : body && { body }),
      },
      signal && { signal },
    );
  };
}

/** Requests whose failures have a class of ours. */
export class Connection {
  readonly #send: Send;
  readonly #options: ConnectionOptions;

  constructor(send: Send, options: ConnectionOptions) {
    this.#send = send;
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get random(): Random {
    return this.#options.random;
  }

  get logger(): Logger {
    return this.#options.logger;
  }

  /** Counts and logs nothing, repeats nothing. @throws FreshetError, or the signal's reason. */
  async once<T>(request: Request, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    try {
      return (await this.#send(request, signal)) as T;
    } catch (error) {
      throw classifyFailure(error, signal);
    }
  }

  /**
   * A request that may be repeated, as reads are; it is, a bounded number of times, while Elasticsearch is not available.
   * @param check throws for a reply that is no answer.
   */
  repeatable<T>(
    operation: string,
    request: Request,
    signal: AbortSignal | undefined,
    check?: (reply: T) => void,
  ): Promise<T> {
    return retry(
      async () => {
        const reply = await this.once<T>(request, signal);
        check?.(reply);
        return reply;
      },
      {
        operation,
        attempts: READ_ATTEMPTS,
        minDelayMs: MIN_DELAY_MS,
        maxDelayMs: MAX_DELAY_MS,
        clock: this.clock,
        random: this.random,
        logger: this.logger,
        onRetry: (error) => this.countRetry(operation, error),
      },
      signal ?? never,
    );
  }

  countRetry(operation: string, error: FreshetError): void {
    this.#options.metrics?.retries.inc({ operation, code: error.code });
  }
}

const never = new AbortController().signal;
