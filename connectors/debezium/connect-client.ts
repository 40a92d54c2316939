import type { Clock } from '../../runtime/clock.ts';
import { deadline } from '../../runtime/deadline.ts';
import { SourceMisconfigured, SourceUnavailable } from '../../runtime/errors.ts';
import type { ConnectorProperties } from './connector-config.ts';

/** What Kafka Connect says of a connector. */
export interface ConnectorStatus {
  readonly state: string;
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace?: string }[];
}

/** The place that a connector has durably reached, as its system counts; numbers are exact up to 2^53. */
export type ConnectorOffset = Readonly<Record<string, unknown>>;

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

const REQUEST_TIMEOUT_MS = 10_000;
/** Kafka Connect answers 409 while its workers share the work out. */
const REBALANCING = 409;

/** Kafka Connect's REST API, as far as it is needed. Every call may be repeated. Messages never hold secrets. */
export class ConnectClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #secrets: readonly string[];
  readonly #clock: Clock;

  /** @param secrets texts that must not show, should Connect repeat them in a message */
  constructor(url: string, secrets: readonly string[], clock: Clock) {
    this.#clock = clock;
    const address = new URL(url);
    const credentials = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
    this.#headers = {
      'content-type': 'application/json',
      ...(address.username !== '' && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
    };
    this.#secrets = [...secrets, decodeURIComponent(address.password)].filter((secret) => secret !== '');
    address.username = '';
    address.password = '';
    this.#base = address.href.replace(/\/$/, '');
  }

  /** Version of Kafka Connect. @throws SourceUnavailable */
  async version(signal: AbortSignal): Promise<string> {
    const { body } = await this.#expect('GET', '/', undefined, signal);
    return String((body as { readonly version?: unknown }).version);
  }

  /** Classes that Kafka Connect has loaded, with their versions. */
  async plugins(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const { body } = await this.#expect('GET', '/connector-plugins', undefined, signal);
    const found = body as readonly { readonly class: string; readonly version: string }[];
    return new Map(found.map((plugin) => [plugin.class, plugin.version]));
  }

  /** undefined when there is no such connector. */
  async status(name: string, signal: AbortSignal): Promise<ConnectorStatus | undefined> {
    const reply = await this.#request('GET', `${path(name)}/status`, undefined, signal);
    if (reply.status === 404) return undefined;
    const { connector, tasks } = this.#ok(reply) as { connector: { state: string }; tasks: ConnectorStatus['tasks'] };
    return { state: connector.state, tasks };
  }

  /** The properties as stored; undefined when there is no such connector. Holds secrets. */
  async properties(name: string, signal: AbortSignal): Promise<ConnectorProperties | undefined> {
    const reply = await this.#request('GET', `${path(name)}/config`, undefined, signal);
    return reply.status === 404 ? undefined : (this.#ok(reply) as ConnectorProperties);
  }

  /**
   * Makes the connector what `properties` say. Leaves it alone when it is that already, since every change restarts its task.
   * @param initialState of a connector that is new; one that exists stays running or stopped
   * @throws SourceMisconfigured when Connect refuses the properties
   */
  async register(
    name: string,
    properties: ConnectorProperties,
    initialState: 'RUNNING' | 'STOPPED',
    signal: AbortSignal,
  ): Promise<void> {
    const stored = await this.properties(name, signal);
    if (!stored) {
      const body = { name, config: properties, initial_state: initialState };
      return void this.#ok(await this.#request('POST', '/connectors', body, signal));
    }
    const { name: _name, ...rest } = stored;
    const same =
      Object.keys(rest).length === Object.keys(properties).length &&
      Object.entries(properties).every(([key, value]) => rest[key] === value);
    if (!same) await this.#expect('PUT', `${path(name)}/config`, properties, signal);
  }

  /** Ends the task, and keeps properties and offsets. Done when `status` shows no task. */
  async stop(name: string, signal: AbortSignal): Promise<void> {
    await this.#unlessGone('PUT', `${path(name)}/stop`, signal);
  }

  async resume(name: string, signal: AbortSignal): Promise<void> {
    await this.#expect('PUT', `${path(name)}/resume`, undefined, signal);
  }

  /** Starts the connector and those of its tasks again that have failed. */
  async restartFailed(name: string, signal: AbortSignal): Promise<void> {
    await this.#unlessGone('POST', `${path(name)}/restart?includeTasks=true&onlyFailed=true`, signal);
  }

  /** Starts the connector and its tasks again, also those that call themselves running. */
  async restart(name: string, signal: AbortSignal): Promise<void> {
    await this.#unlessGone('POST', `${path(name)}/restart?includeTasks=true&onlyFailed=false`, signal);
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#unlessGone('DELETE', path(name), signal);
  }

  /** Names of all connectors. */
  async names(signal: AbortSignal): Promise<readonly string[]> {
    return (await this.#expect('GET', '/connectors', undefined, signal)).body as readonly string[];
  }

  /**
   * What Connect has committed: every record up to there is acknowledged by Kafka. A source of ours has one partition; undefined
   * before its first commit, and when there is no such connector.
   * @throws SourceMisconfigured when Connect cannot tell, because it is older than 3.6
   */
  async offset(name: string, signal: AbortSignal): Promise<ConnectorOffset | undefined> {
    const reply = await this.#request('GET', `${path(name)}/offsets`, undefined, signal);
    if (reply.status === 404 && !/not found/i.test(messageOf(reply)))
      throw new SourceMisconfigured('Kafka Connect does not tell offsets; use version 3.7 or newer.');
    if (reply.status === 404) return undefined;
    const { offsets } = this.#ok(reply) as { offsets: readonly { readonly offset: ConnectorOffset | null }[] };
    return offsets[0]?.offset ?? undefined;
  }

  /** Sets where a stopped connector will begin. */
  async setOffset(
    name: string,
    partition: Readonly<Record<string, string>>,
    offset: ConnectorOffset,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#expect('PATCH', `${path(name)}/offsets`, { offsets: [{ partition, offset }] }, signal);
  }

  /** Makes a stopped connector begin as if it were new. */
  async forgetOffset(name: string, signal: AbortSignal): Promise<void> {
    await this.#expect('DELETE', `${path(name)}/offsets`, undefined, signal);
  }

  async #unlessGone(method: string, at: string, signal: AbortSignal): Promise<void> {
    const reply = await this.#request(method, at, undefined, signal);
    if (reply.status !== 404) this.#ok(reply);
  }

  async #expect(method: string, at: string, body: unknown, signal: AbortSignal): Promise<Reply> {
    const reply = await this.#request(method, at, body, signal);
    this.#ok(reply);
    return reply;
  }

  #ok(reply: Reply): unknown {
    if (reply.status < 300) return reply.body;
    const message = this.#withoutSecrets(messageOf(reply));
    if (reply.status === 400 || reply.status === 401 || reply.status === 403 || reply.status === 422)
      throw new SourceMisconfigured(`Kafka Connect refuses (${reply.status}): ${message}`);
    const what = reply.status === REBALANCING ? 'is busy with itself' : 'cannot do it now';
    throw new SourceUnavailable(`Kafka Connect ${what} (${reply.status}): ${message}`);
  }

  async #request(method: string, at: string, body: unknown, signal: AbortSignal): Promise<Reply> {
    const limit = deadline(this.#clock, REQUEST_TIMEOUT_MS, signal);
    try {
      const response = await fetch(`${this.#base}${at}`, {
        method,
        headers: this.#headers,
        signal: limit.signal,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : parse(text) };
    } catch (cause) {
      signal.throwIfAborted();
      throw new SourceUnavailable('Kafka Connect cannot be reached.', { cause });
    } finally {
      limit.end();
    }
  }

  /** First lines of what Connect says, without the passwords that a driver may have put there. */
  #withoutSecrets(text: string): string {
    return this.#secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text).slice(0, 500);
  }

  /** Why a task has failed, as its stack trace's first line says. */
  reasonOf(trace: string | undefined): string {
    const lines = (trace ?? '').split('\n');
    const cause = lines.findLast((line) => line.startsWith('Caused by:')) ?? lines[0] ?? '';
    return this.#withoutSecrets(cause.replace(/^Caused by: /, ''));
  }
}

function path(name: string): string {
  return `/connectors/${encodeURIComponent(name)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}

function messageOf({ body }: Reply): string {
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
  return typeof message === 'string' ? message : '';
}
