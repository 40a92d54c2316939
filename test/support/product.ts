import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFreshet, type RunningFreshet } from '../../cli/compose.ts';
import type { AppendRecord, LogRecord, Offset } from '../../ports/log/log.ts';
import { openLog } from '../../ports/registry.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import type { ConfigFile, PostgresSourceConfig, ResolvedConfig, TableConfig } from '../../runtime/config/config.ts';
import { parseConfig } from '../../runtime/config/load-config.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { AnswerRequest, SearchRequest, SearchResponse } from '../../schemas/query.ts';
import type { TestDatabase } from './postgres.ts';

/** A base64 key as senders and the config share it. */
export const HOOK_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Who asks, with `auth.mode: none`. */
export interface Caller {
  readonly tenant?: string;
  readonly groups?: readonly string[];
}

export interface Reply<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface DocumentReply {
  readonly documentId: string;
  readonly title: string;
  readonly text: string;
  readonly version: string;
  readonly position: string;
  readonly source: { readonly name: string; readonly table: string; readonly key: string };
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly passages: readonly { readonly passageId: string; readonly hasVector: boolean }[];
}

type Query = Partial<SearchRequest>;

/** The product with all roles in this process, spoken to over HTTP only. */
export interface Product extends AsyncDisposable {
  readonly config: ResolvedConfig;
  address(): string;
  request<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    caller?: Caller,
  ): Promise<Reply<T>>;
  search(query: string, options?: Query, caller?: Caller): Promise<Reply<SearchResponse>>;
  /** Ids of the documents that are found, each once, best first. */
  found(query: string, options?: Query, caller?: Caller): Promise<string[]>;
  answer(question: string, options?: Partial<AnswerRequest>, caller?: Caller): Promise<Reply>;
  document(id: string, caller?: Caller): Promise<Reply<DocumentReply>>;
  explain(id: string): Promise<Reply<Record<string, unknown>>>;
  failures(): Promise<readonly DeadLetter[]>;
  retry(id: string): Promise<number>;
  /** Resolves when everything that is committed in the database is in the index, vectors included. */
  caughtUp(database: Pick<TestDatabase, 'sql'>, source?: string): Promise<void>;
  /** Texts that the model has computed since the start of the process. */
  computedTexts(): Promise<number>;
  /** Sends the event body as a sender that knows the secret, unless `headers` say otherwise. */
  deliver(body: unknown, options?: Delivery): Promise<Reply>;
  /** Appends past the connectors, as a broken producer would. */
  append(records: readonly AppendRecord[]): Promise<void>;
  records(topic: string): Promise<readonly LogRecord[]>;
  /** Stops all roles; `restart` starts them again. */
  stop(): Promise<void>;
  /** Stops all roles and starts them again on the same state, with another config where `change` gives one. */
  restart(change?: Partial<ConfigFile>): Promise<void>;
}

export interface Delivery {
  readonly id?: string;
  readonly secret?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A source on a test database. Slots are names of the whole server, so that every source needs its own. */
export function postgresSource(
  database: Pick<TestDatabase, 'url'>,
  tables: readonly TableConfig[],
  rest: Partial<PostgresSourceConfig> = {},
): PostgresSourceConfig {
  const slot = `slot_${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
  return { name: 'helpdesk', kind: 'postgres', connection: database.url, tables: [...tables], slot, ...rest };
}

/** The position that covers everything that is committed now. */
export async function positionOf(database: Pick<TestDatabase, 'sql'>): Promise<string> {
  const [row] = await database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return row?.lsn ?? '';
}

/** Starts the product on a folder of its own, with the hash embedder and a free port where `file` says nothing else. */
export async function startProduct(file: ConfigFile): Promise<Product> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-e2e-'));
  let config = resolve(file, folder);
  let abort = new AbortController();
  let running: RunningFreshet | undefined = await start(config, abort.signal);

  const stop = async (): Promise<void> => {
    abort.abort();
    const stopping = running;
    running = undefined; // a second stop must not drain again
    await stopping?.[Symbol.asyncDispose]();
  };
  const address = (): string => running?.address ?? '';
  const product: Product = {
    get config() {
      return config;
    },
    address,
    request: (method, path, body, caller) => request(`${address()}${path}`, method, body, callerHeaders(caller)),
    search: (query, options, caller) => product.request('POST', '/v1/search', { query, ...options }, caller),
    found: async (query, options, caller) => {
      const { body } = await product.search(query, { k: 50, ...options }, caller);
      return [...new Set(body.results.map(({ documentId }) => documentId))];
    },
    answer: (question, options, caller) => product.request('POST', '/v1/answer', { question, ...options }, caller),
    document: (id, caller) => product.request('GET', `/v1/documents/${encodeURIComponent(id)}`, undefined, caller),
    explain: (id) => product.request('GET', `/v1/admin/explain/${encodeURIComponent(id)}`),
    failures: async () => {
      const reply = await product.request<{ failures: DeadLetter[] }>('GET', '/v1/admin/failures?state=open');
      return reply.body.failures;
    },
    retry: async (id) => (await product.request('POST', `/v1/admin/failures/${encodeURIComponent(id)}/retry`)).status,
    caughtUp: async (database, source = 'helpdesk') => {
      const after = { [source]: await positionOf(database) };
      const { status } = await product.search('anything', { after, waitFor: 'complete', waitMs: 60_000 });
      if (status !== 200) throw new Error(`the index did not catch up: ${status}`);
    },
    computedTexts: async () => {
      const page = await (await fetch(`${address()}/metrics`)).text();
      return Number(/^freshet_embed_texts_total\{result="computed"\} (\d+)/m.exec(page)?.[1] ?? 0);
    },
    deliver: (body, options) => deliver(`${address()}/v1/hooks/crm`, body, options),
    append: async (records) => {
      await using log = await openLog(config, { clock: systemClock, random: systemRandom, logger: silentLogger });
      await log.append(records);
    },
    records: (topic) => readTopic(config, topic),
    stop,
    restart: async (change = {}) => {
      await stop();
      config = resolve({ ...file, ...change }, folder);
      abort = new AbortController();
      running = await start(config, abort.signal);
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return product;
}

function resolve(file: ConfigFile, folder: string): ResolvedConfig {
  const text = JSON.stringify({ embedder: { kind: 'hash' }, server: { port: 0 }, ...file });
  return parseConfig(text, { FRESHET_DATA_DIR: join(folder, 'state') }, join(folder, 'freshet.yaml'));
}

function start(config: ResolvedConfig, signal: AbortSignal): Promise<RunningFreshet> {
  return startFreshet({ config, roles: ['connectors', 'prepare', 'index', 'query'], logger: silentLogger, signal });
}

function callerHeaders({ tenant, groups }: Caller = {}): Record<string, string> {
  return {
    ...(tenant !== undefined && { 'x-freshet-tenant': tenant }),
    ...(groups !== undefined && { 'x-freshet-groups': groups.join(',') }),
  };
}

async function request<T>(
  url: string,
  method: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<Reply<T>> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

async function deliver(url: string, body: unknown, options: Delivery = {}): Promise<Reply> {
  const { id = `msg_${crypto.randomUUID()}`, secret = HOOK_SECRET, headers = {} } = options;
  const bytes = body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  const timestamp = String(Math.floor(systemClock.now() / 1_000));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes).digest('base64');
  const response = await fetch(url, {
    method: 'POST',
    body: bytes,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${digest}`,
      ...headers,
    },
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

async function readTopic(config: ResolvedConfig, topic: string): Promise<readonly LogRecord[]> {
  await using log = await openLog(config, { clock: systemClock, random: systemRandom, logger: silentLogger });
  const records: LogRecord[] = [];
  for (const { partition, earliest } of await log.describe([topic]))
    records.push(...(await log.fetch({ topic, partition, offset: earliest as Offset }, 10_000)));
  return records;
}
