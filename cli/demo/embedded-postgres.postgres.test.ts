import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-embedded-'));
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function query(server: EmbeddedPostgres, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test('a database survives a kill -9 of its server and a stop', async () => {
  const dataDir = join(folder, 'killed');
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first, 'CREATE TABLE kept AS SELECT 1 AS n');
  await first.kill();
  const second = await startEmbeddedPostgres({ dataDir });
  expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  await second.stop();
  await using third = await startEmbeddedPostgres({ dataDir });
  expect(await query(third, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
});

test('it decodes logically and listens on the loopback interface only', async () => {
  await using server = await startEmbeddedPostgres({ dataDir: join(folder, 'settings'), unsafeFast: true });
  expect(await query(server, 'SHOW wal_level')).toEqual([{ wal_level: 'logical' }]);
  expect(await query(server, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
});

test('a data folder below one that only its owner may enter is found again after a restart', async () => {
  const closed = join(folder, 'closed');
  await mkdir(closed, { mode: 0o700 });
  const dataDir = join(closed, 'deep', 'data');
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first, 'CREATE TABLE kept AS SELECT 1 AS n');
  await first.stop();
  const second = await startEmbeddedPostgres({ dataDir });
  try {
    expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  } finally {
    await second.stop();
    await rm(second.dataDir, { recursive: true, force: true });
  }
});

test('deleting the wanted folder deletes the database, wherever it lies', async () => {
  const closed = join(folder, 'deleted');
  await mkdir(closed, { mode: 0o700 });
  const dataDir = join(closed, 'data');
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first, 'CREATE TABLE gone AS SELECT 1 AS n');
  await first.stop();
  await rm(dataDir, { recursive: true, force: true });
  const second = await startEmbeddedPostgres({ dataDir });
  try {
    expect(await query(second, "SELECT to_regclass('gone') AS found")).toEqual([{ found: null }]);
  } finally {
    await second.stop();
    await rm(second.dataDir, { recursive: true, force: true });
  }
});

test('two servers cannot be started on one data folder by two live processes', async () => {
  const dataDir = join(folder, 'shared');
  await using server = await startEmbeddedPostgres({ dataDir, unsafeFast: true });
  // Process 1 stands for the other live owner: it is alive as long as the machine.
  await writeFile(join(server.dataDir, 'freshet.owner'), '1');
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow('in use by process 1');
});
