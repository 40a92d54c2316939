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
  /** Drops its replication slots, whoever holds them: a reader that was stopped may hold one for a moment longer. */
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

/** Ends the walsenders of a database's slots and drops them; a slot that outlives its test would keep all WAL of the run. */
async function dropSlots(server: string, database: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query<{ slot_name: string; active_pid: number | null }>(
        'SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = $1',
        [database],
      );
      if (rows.length === 0) return;
      for (const { slot_name: slot, active_pid: pid } of rows) {
        if (pid !== null) await client.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
        else await client.query('SELECT pg_drop_replication_slot($1)', [slot]).catch(() => undefined); // just taken: again
      }
    }
  } finally {
    await client.end();
  }
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
