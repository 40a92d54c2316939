import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { ConfigFile } from '../../runtime/config/config.ts';

/** Names in the environment that `npm run engines` and its lane use. */
const VARIABLES = {
  kafka: 'KAFKA_TEST_URL',
  elasticsearch: 'ELASTICSEARCH_TEST_URL',
  redis: 'REDIS_TEST_URL',
  connect: 'CONNECT_TEST_URL',
  postgres: 'POSTGRES_TEST_URL',
} as const;

/** A database and names of its own on the real engines. Disposing removes them. */
export interface EnginePlace extends AsyncDisposable {
  readonly url: string;
  /** What the config has besides its sources' tables. */
  readonly config: Partial<ConfigFile>;
}

/**
 * Makes room for one run on the engines that the environment names.
 * @throws Error naming the variables that are missing
 */
export async function onEngines(): Promise<EnginePlace> {
  const missing = Object.values(VARIABLES).filter((name) => !process.env[name]);
  if (missing.length > 0)
    throw new Error(`${missing.join(', ')} not set: run npm run engines, and export what it prints`);
  const at = (engine: keyof typeof VARIABLES): string => process.env[VARIABLES[engine]] ?? '';
  const name = `replay${randomBytes(4).toString('hex')}`;
  const nodes = at('elasticsearch').split(',');
  await onServer(at('postgres'), `CREATE DATABASE ${name}`);
  const url = new URL(at('postgres'));
  url.pathname = `/${name}`;
  return {
    url: url.href,
    config: {
      profile: 'cluster',
      kafka: { brokers: at('kafka').split(','), namespace: name, partitions: 3 },
      elasticsearch: { nodes, alias: name, shards: 3, replicas: nodes.length > 1 ? 1 : 0 },
      redis: { url: at('redis'), prefix: name },
      connect: { url: at('connect') },
    },
    async [Symbol.asyncDispose]() {
      await removeConnectors(at('connect'), name);
      await removeIndices(nodes[0] ?? '', name);
      await dropSlots(at('postgres'), name);
      await onServer(at('postgres'), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function onServer(server: string, text: string): Promise<pg.QueryResult<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

/** One by one: Elasticsearch refuses to remove by a pattern. */
async function removeIndices(node: string, name: string): Promise<void> {
  const found = (await (await fetch(`${node}/_cat/indices/${name}-*?format=json&h=index`)).json()) as {
    readonly index: string;
  }[];
  for (const { index } of found) await fetch(`${node}/${index}`, { method: 'DELETE' });
}

async function removeConnectors(connect: string, name: string): Promise<void> {
  const names = (await (await fetch(`${connect}/connectors`)).json()) as readonly string[];
  for (const connector of names.filter((one) => one.includes(name)))
    await fetch(`${connect}/connectors/${encodeURIComponent(connector)}`, { method: 'DELETE' });
}

/** A slot would keep the server's log for ever; its connector lets go of it a moment after it was removed. */
async function dropSlots(server: string, database: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { rows } = await onServer(
      server,
      `SELECT pg_terminate_backend(active_pid, 2000) FROM pg_replication_slots
       WHERE database = '${database}' AND active_pid IS NOT NULL`,
    );
    if (rows.length > 0) continue;
    await onServer(
      server,
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '${database}' AND NOT active`,
    );
    return;
  }
}
