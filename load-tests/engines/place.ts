import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openKafkaLog } from '../../ports/log/kafka-log.ts';
import type { AppendRecord, Log } from '../../ports/log/log.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import type { ConfigFile } from '../../runtime/config/config.ts';
import { createLogger } from '../../runtime/logger.ts';
import { onEngines } from '../replay/on-engines.ts';
import { SOURCE, TABLE, TOPIC } from './corpus.ts';
import { until } from './measure.ts';
import { RoleProcess, startProcess } from './role-process.ts';

export interface PlaceOptions {
  readonly partitions?: number;
  readonly shards?: number;
  /** `postgres` by default: nothing reads it unless a process has the role connectors, so the bench itself fills its topic. */
  readonly kind?: 'postgres' | 'debezium';
  /** Laid over the config, key by key at the top level. */
  readonly config?: Partial<ConfigFile>;
  /** Put before Elasticsearch, to see what passes. */
  readonly elasticsearch?: string;
}

/** What the index holds that a search would find. */
export interface IndexCounts {
  readonly documents: number;
  readonly passages: number;
  readonly vectors: number;
}

/** The product on the engines: a database, topics, an index and keys of its own, and processes with roles. Disposing removes all. */
export interface Place extends AsyncDisposable {
  readonly name: string;
  readonly database: pg.Client;
  readonly log: Log;
  readonly elasticsearch: string;
  start(roles: string, env?: Readonly<Record<string, string>>): RoleProcess;
  /** Appends to the source topic, some thousand at a time. */
  fill(records: readonly AppendRecord[]): Promise<void>;
  /** From what the last refresh made searchable. */
  counts(): Promise<IndexCounts>;
  /** Resolves when `documents` are searchable with all their vectors. */
  awaitIndexed(documents: number, timeoutMs: number): Promise<IndexCounts>;
}

const GROUP = 1_000;

export async function openPlace({
  partitions = 3,
  shards = 1,
  kind = 'postgres',
  ...options
}: PlaceOptions = {}): Promise<Place> {
  const engines = await onEngines();
  const { kafka, elasticsearch, redis, connect } = engines.config;
  const name = elasticsearch?.alias ?? '';
  const elastic = elasticsearch?.nodes[0] ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
  const config = {
    profile: 'cluster',
    dataDir: join(folder, 'state'),
    logLevel: 'warn',
    server: { port: 0 },
    kafka: { brokers: [], ...kafka, partitions },
    elasticsearch: { ...elasticsearch, shards, nodes: [options.elasticsearch ?? elastic] },
    redis,
    connect,
    embedder: { kind: 'hash' },
    pipeline: { pii: { mode: 'off' } },
    sources: [
      {
        name: SOURCE,
        kind,
        connection: engines.url,
        slot: name,
        publication: name,
        tables: [{ table: TABLE, title: 'title', body: 'body' }],
      },
    ],
    ...options.config,
  };
  const configFile = join(folder, 'freshet.yaml');
  await writeFile(configFile, JSON.stringify(config));
  const log = await openKafkaLog({
    brokers: kafka?.brokers ?? [],
    namespace: name,
    client: 'kafkajs',
    stateDir: join(folder, 'bench'),
    clock: systemClock,
    random: systemRandom,
    logger: createLogger('error'),
  });
  if (kind === 'postgres') await log.createTopics([{ name: TOPIC, partitions, cleanup: 'delete' }]);
  const database = new pg.Client({ connectionString: engines.url });
  database.on('error', () => undefined); // it goes at the end
  await database.connect();
  const running: RoleProcess[] = [];
  const counts = (): Promise<IndexCounts> => countIn(elastic, name);
  return {
    name,
    database,
    log,
    elasticsearch: elastic,
    start(roles, env = {}) {
      const child = startProcess(configFile, roles, {
        ...env,
        FRESHET_DATA_DIR: join(folder, `state-${running.length}`),
      });
      running.push(child);
      return child;
    },
    async fill(records) {
      for (let i = 0; i < records.length; i += GROUP) await log.append(records.slice(i, i + GROUP));
    },
    counts,
    async awaitIndexed(documents, timeoutMs) {
      let found: IndexCounts = { documents: 0, passages: 0, vectors: 0 };
      await until(
        `${documents} documents searchable`,
        timeoutMs,
        async () => {
          const dead = running.find((child) => child.failure);
          if (dead) throw new Error(`a process ended: ${dead.failure}`);
          found = await counts();
          return found.documents >= documents && found.vectors >= found.passages;
        },
        100,
      ).catch((cause: unknown) => {
        throw new Error(`found ${JSON.stringify(found)}`, { cause });
      });
      return found;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((child) => child.kill()));
      await log[Symbol.asyncDispose]();
      await database.end();
      await engines[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A request with a JSON body, or with lines of JSON when it is a text or bytes. @throws Error with the reply when it is refused. */
export async function ask<T>(url: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<T> {
  const isLines = typeof body === 'string' || body instanceof Uint8Array;
  const reply = await fetch(url, {
    method,
    headers: { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' },
    ...(body !== undefined && { body: isLines ? body : JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${url}: ${reply.status} ${(await reply.text()).slice(0, 500)}`);
  return (await reply.json()) as T;
}

async function countIn(elasticsearch: string, alias: string): Promise<IndexCounts> {
  const sum = (field: string): object => ({ sum: { field } });
  interface Reply {
    readonly hits: { readonly total: { readonly value: number } };
    readonly aggregations?: {
      readonly passages: { readonly value: number };
      readonly vectors: { readonly value: number };
    };
  }
  const { hits, aggregations } = await ask<Reply>(
    `${elasticsearch}/${alias}-*/_search?ignore_unavailable=true&allow_no_indices=true`,
    {
      size: 0,
      track_total_hits: true,
      query: { bool: { filter: [{ term: { source: SOURCE } }, { term: { deleted: false } }] } },
      aggs: { passages: sum('passageCount'), vectors: sum('vectorCount') },
    },
  );
  return {
    documents: hits.total.value,
    passages: aggregations?.passages.value ?? 0,
    vectors: aggregations?.vectors.value ?? 0,
  };
}
