import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openKafkaLog } from '../../ports/log/kafka-log.ts';
import type { AppendRecord, Log } from '../../ports/log/log.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import type { ConfigFile } from '../../runtime/config/config.ts';
import { createLogger } from '../../runtime/logger.ts';
import { onEngines, type EnginePlace } from '../replay/on-engines.ts';
import { SOURCE, TABLE, TOPIC } from '../corpus.ts';
import { ask } from '../ask.ts';
import { until } from '../measure.ts';
import { startProcess, type RoleProcess } from '../processes.ts';

export interface PlaceOptions {
  readonly partitions?: number;
  readonly shards?: number;
  /** `postgres` by default: nothing reads it unless a process has the role connectors, so the bench itself fills its topic. */
  readonly kind?: 'postgres' | 'debezium';
  /** Laid over the config, key by key at the top level. */
  readonly config?: Partial<ConfigFile>;
}

export interface StartOptions {
  /** Options of Node itself. */
  readonly node?: readonly string[];
  /** What this process takes for Elasticsearch, to see what passes. */
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
  start(roles: string, options?: StartOptions): RoleProcess;
  /** As a supervisor does: the same config, the same folder. */
  startAgain(dead: RoleProcess): RoleProcess;
  /** Appends to the source topic, some thousand at a time. */
  fill(records: readonly AppendRecord[]): Promise<void>;
  /** From what the last refresh made searchable. */
  counts(): Promise<IndexCounts>;
  /** Resolves when `documents` are searchable with all their vectors. */
  awaitIndexed(documents: number, timeoutMs: number): Promise<IndexCounts>;
}

const GROUP = 1_000;

export async function openPlace(options: PlaceOptions = {}): Promise<Place> {
  const { partitions = 3, kind = 'postgres' } = options;
  const engines = await onEngines();
  const { kafka, elasticsearch } = engines.config;
  const name = elasticsearch?.alias ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
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
  return new OnEngines(
    { name, database, log, elasticsearch: elasticsearch?.nodes[0] ?? '' },
    { engines, folder, config: configOf(engines, options) },
  );
}

function configOf({ url, config }: EnginePlace, options: PlaceOptions): Partial<ConfigFile> {
  const { partitions = 3, shards = 1, kind = 'postgres' } = options;
  const { kafka, elasticsearch, redis, connect } = config;
  const name = elasticsearch?.alias ?? '';
  const tables = [{ table: TABLE, title: 'title', body: 'body' }];
  return {
    profile: 'cluster',
    logLevel: 'warn',
    server: { port: 0 },
    kafka: { brokers: [], ...kafka, partitions },
    elasticsearch: { nodes: [], ...elasticsearch, shards },
    ...(redis && { redis }),
    ...(connect && { connect }),
    embedder: { kind: 'hash' },
    pipeline: { pii: { mode: 'off' } },
    sources: [{ name: SOURCE, kind, connection: url, slot: name, publication: name, tables }],
    ...options.config,
  };
}

class OnEngines implements Place {
  readonly name: string;
  readonly database: pg.Client;
  readonly log: Log;
  readonly elasticsearch: string;
  readonly #own: { readonly engines: EnginePlace; readonly folder: string; readonly config: Partial<ConfigFile> };
  readonly #running: RoleProcess[] = [];
  readonly #starts = new Map<RoleProcess, () => RoleProcess>();

  constructor(
    { name, database, log, elasticsearch }: Pick<Place, 'name' | 'database' | 'log' | 'elasticsearch'>,
    own: { readonly engines: EnginePlace; readonly folder: string; readonly config: Partial<ConfigFile> },
  ) {
    this.name = name;
    this.database = database;
    this.log = log;
    this.elasticsearch = elasticsearch;
    this.#own = own;
  }

  start(roles: string, { node = [], elasticsearch }: StartOptions = {}): RoleProcess {
    const { folder, config } = this.#own;
    const place = join(folder, `process-${this.#running.length}`);
    const nodes = [elasticsearch ?? this.elasticsearch];
    writeFileSync(`${place}.yaml`, JSON.stringify({ ...config, elasticsearch: { ...config.elasticsearch, nodes } }));
    return this.#run(() => startProcess(`${place}.yaml`, roles, { dataDir: place, node }));
  }

  startAgain(dead: RoleProcess): RoleProcess {
    return this.#run(this.#starts.get(dead));
  }

  #run(start: (() => RoleProcess) | undefined): RoleProcess {
    if (!start) throw new Error('this process was never started here');
    const child = start();
    this.#running.push(child);
    this.#starts.set(child, start);
    return child;
  }

  async fill(records: readonly AppendRecord[]): Promise<void> {
    for (let i = 0; i < records.length; i += GROUP) await this.log.append(records.slice(i, i + GROUP));
  }

  counts(): Promise<IndexCounts> {
    return countIn(this.elasticsearch, this.name);
  }

  async awaitIndexed(documents: number, timeoutMs: number): Promise<IndexCounts> {
    let found: IndexCounts = { documents: 0, passages: 0, vectors: 0 };
    const isComplete = async (): Promise<boolean> => {
      const dead = this.#running.find((child) => child.failure);
      if (dead) throw new Error(`a process ended: ${dead.failure}`);
      found = await this.counts();
      return found.documents >= documents && found.vectors >= found.passages;
    };
    try {
      await until(`${documents} documents searchable`, timeoutMs, isComplete, 100);
    } catch (cause) {
      throw new Error(`found ${JSON.stringify(found)}`, { cause });
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((child) => child.kill()));
    await this.log[Symbol.asyncDispose]();
    await this.database.end();
    await this.#own.engines[Symbol.asyncDispose]();
    await rm(this.#own.folder, { recursive: true, force: true });
  }
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
