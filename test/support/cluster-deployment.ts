import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigFile } from '../../runtime/config/config.ts';
import { systemClock } from '../../runtime/clock.ts';
import { LiveProduct } from './live-product.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

/** A role, or several with commas between them, that one process takes. */
export type RoleList = string;

/** Where the engines of a deployment are; tests put proxies or engines of their own in the place of the shared ones. */
export interface EngineAddresses {
  readonly kafka: string;
  readonly elasticsearch: string;
  readonly redis: string;
  readonly connect: string;
  readonly postgres: string;
}

export interface DeploymentOptions {
  readonly engines?: Partial<EngineAddresses>;
  /** What the product is told instead: proxies in front of the engines. The deployment itself goes past them. */
  readonly through?: Partial<EngineAddresses>;
  /** Name of the source; what is inserted into the engines has names of its own all the same. */
  readonly source: string;
  readonly tables: readonly { readonly table: string; readonly title?: string; readonly body: string | string[] }[];
  /** `debezium` by default; `postgres` reads the database without Kafka Connect. */
  readonly kind?: 'debezium' | 'postgres';
  readonly partitions?: number;
  /** Copies of the index besides the first; none unless told. */
  readonly replicas?: number;
  /** Laid over the config, key by key at the top level. */
  readonly config?: Partial<ConfigFile>;
}

/** The addresses of the shared engines. @throws Error when one is not set. */
export function sharedEngines(): EngineAddresses {
  const from = (name: string): string => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: run npm run engines first`);
    return value;
  };
  return {
    kafka: from('KAFKA_TEST_URL'),
    elasticsearch: from('ELASTICSEARCH_TEST_URL'),
    redis: from('REDIS_TEST_URL'),
    connect: from('CONNECT_TEST_URL'),
    postgres: from('POSTGRES_TEST_URL'),
  };
}

/**
 * The product on real engines, as processes with roles: a database, a namespace in Kafka, an index and Redis keys of its own. Disposing
 * kills the processes and removes what they left in the engines.
 */
export class ClusterDeployment implements AsyncDisposable {
  readonly database: TestDatabase;
  /** Part of every name in the engines. */
  readonly name: string;
  readonly configFile: string;
  readonly engines: EngineAddresses;
  readonly #folder: string;
  /** With the role and the folder of each. */
  readonly #running = new Map<LiveProduct, { readonly roles: RoleList; readonly dataDir: string }>();
  #started = 0;

  private constructor(parts: Pick<ClusterDeployment, 'database' | 'name' | 'configFile' | 'engines'>, folder: string) {
    this.database = parts.database;
    this.name = parts.name;
    this.configFile = parts.configFile;
    this.engines = parts.engines;
    this.#folder = folder;
  }

  static async open(options: DeploymentOptions): Promise<ClusterDeployment> {
    const engines = { ...sharedEngines(), ...options.engines };
    const name = `t${randomBytes(5).toString('hex')}`;
    const database = await testDatabase(engines.postgres);
    const folder = await mkdtemp(join(tmpdir(), 'freshet-cluster-'));
    const configFile = join(folder, 'freshet.yaml');
    const told = { ...engines, ...options.through };
    const source = new URL(database.url);
    source.host = new URL(told.postgres).host;
    const config = configOf(options, told, name, { url: source.href, name: database.name }, folder);
    await writeFile(configFile, JSON.stringify(config));
    return new ClusterDeployment({ database, name, configFile, engines }, folder);
  }

  /** Starts a process with these roles. What a process keeps is its own: this one finds nothing, as on another machine. */
  start(roles: RoleList): LiveProduct {
    return this.#run(roles, join(this.#folder, `state-${++this.#started}`));
  }

  /** Starts a process where another one has ended, as a supervisor does: it finds what that one has kept. */
  startAgain(ended: LiveProduct): LiveProduct {
    const former = this.#running.get(ended);
    if (!former) throw new Error('this process was never started here');
    return this.#run(former.roles, former.dataDir);
  }

  #run(roles: RoleList, dataDir: string): LiveProduct {
    const product = new LiveProduct(this.configFile, roles, dataDir);
    this.#running.set(product, { roles, dataDir });
    return product;
  }

  /** Has processes that start from now on want this many partitions. */
  async repartition(partitions: number): Promise<void> {
    const config = JSON.parse(await readFile(this.configFile, 'utf8')) as { readonly kafka: object };
    await writeFile(this.configFile, JSON.stringify({ ...config, kafka: { ...config.kafka, partitions } }));
  }

  /** The name of a topic or group as the brokers know it. */
  inKafka(name: string): string {
    return `${this.name}.${name}`;
  }

  /** The position behind everything that is committed. */
  async position(): Promise<string> {
    const [row] = await this.database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    return row?.lsn ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const product of this.#running.keys()) await product[Symbol.asyncDispose]();
    await this.#removeConnectors();
    await this.#removeIndexes();
    await this.database[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** By name: Elasticsearch refuses to delete by pattern. */
  async #removeIndexes(): Promise<void> {
    const [node = ''] = this.engines.elasticsearch.split(',');
    const found = await fetch(`${node}/_cat/indices/${this.name}-*?h=index&expand_wildcards=all`).catch(
      () => undefined,
    );
    const names = found?.ok ? (await found.text()).split('\n').filter((name) => name !== '') : [];
    for (const name of names) await fetch(`${node}/${name}`, { method: 'DELETE' }).catch(() => undefined);
  }

  /** Before the database goes: a connector would take its slot again at once. */
  async #removeConnectors(): Promise<void> {
    const { connect } = this.engines;
    const reply = await fetch(`${connect}/connectors`).catch(() => undefined);
    const names = reply?.ok ? ((await reply.json()) as string[]) : [];
    for (const connector of names) {
      const found = await fetch(`${connect}/connectors/${encodeURIComponent(connector)}`).catch(() => undefined);
      if (!found?.ok || !JSON.stringify(await found.json()).includes(this.database.name)) continue;
      await fetch(`${connect}/connectors/${encodeURIComponent(connector)}`, { method: 'DELETE' });
    }
    await systemClock.sleep(0);
  }
}

function configOf(
  { source, tables, kind = 'debezium', partitions = 3, replicas = 0, config }: DeploymentOptions,
  engines: EngineAddresses,
  name: string,
  { url, name: slot }: Pick<TestDatabase, 'url' | 'name'>,
  folder: string,
): Partial<ConfigFile> {
  return {
    profile: 'cluster',
    dataDir: join(folder, 'state'),
    logLevel: 'warn',
    server: { port: 0 },
    kafka: { brokers: engines.kafka.split(','), namespace: name, partitions },
    elasticsearch: { nodes: engines.elasticsearch.split(','), alias: name, shards: 1, replicas },
    redis: { url: engines.redis, prefix: name },
    connect: { url: engines.connect },
    embedder: { kind: 'hash' },
    pipeline: { pii: { mode: 'off' } },
    sources: [{ name: source, kind, connection: url, slot, publication: slot, tables: [...tables] }],
    ...config,
  } as Partial<ConfigFile>;
}
