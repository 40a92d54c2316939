import pg from 'pg';
import { inject } from 'vitest';
import './postgres-global.ts';

/** A database of its own on the test server. Disposing drops it with its replication slots. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly name: string;
  /** Runs SQL on a connection that stays open, so that BEGIN and COMMIT work. Several statements may be joined by `;`. */
  sql<T extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<T[]>;
  /** Another connection, for concurrent load. The caller ends it. */
  connect(): Promise<pg.Client>;
  /** Drops each of its replication slots once, whoever holds it: a reader that was stopped may hold one for a moment longer. */
  dropSlots(): Promise<void>;
}

/** Creates a database with a random name, on the run's server or on another one. */
export async function testDatabase(server: string = inject('postgresUrl')): Promise<TestDatabase> {
  const name = `test_${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
  await onServer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const clients: pg.Client[] = [];
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => undefined); // a test that kills the server sees it in its queries
    await client.connect();
    clients.push(client);
    return client;
  };
  let main: pg.Client | undefined;
  return {
    url: url.href,
    name,
    connect,
    sql: async <T extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) => {
      main ??= await connect();
      const result = await main.query<T>(text, values && [...values]);
      return (Array.isArray(result) ? (result.at(-1) as typeof result) : result).rows;
    },
    dropSlots: () => dropSlots(server, name),
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client.end().catch(() => undefined);
      await dropSlots(server, name);
      await onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function onServer(server: string, text: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(text, values);
  } finally {
    await client.end();
  }
}

/** Drops every slot of a database once, whoever reads it; one that is made again meanwhile stays. */
async function dropSlots(server: string, database: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    const { rows } = await client.query<{ slot_name: string }>(
      'SELECT slot_name FROM pg_replication_slots WHERE database = $1',
      [database],
    );
    for (const { slot_name: slot } of rows) while (!(await dropSlot(client, slot)));
  } finally {
    await client.end();
  }
}

/** False when a reader took it back, which one that connects again does within milliseconds. */
async function dropSlot(client: pg.Client, slot: string): Promise<boolean> {
  await client.query(
    'SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL',
    [slot],
  );
  return await client.query('SELECT pg_drop_replication_slot($1)', [slot]).then(
    () => true,
    (cause: unknown) => (cause as { readonly code?: string }).code === '42704', // it is gone
  );
}

/** SQL on a database of a server that was started again: connections from before are gone. */
export async function reopen(url: string, name: string): Promise<Pick<TestDatabase, 'sql'>> {
  const address = new URL(url);
  address.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: address.href });
  client.on('error', () => undefined); // ends with its server
  await client.connect();
  return {
    sql: async <T extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) =>
      (await client.query<T>(text, values && [...values])).rows,
  };
}
