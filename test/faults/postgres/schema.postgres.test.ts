import pg from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { captureCurrentPosition } from '../../../connectors/postgres/current-position.ts';
import { probe } from '../../../connectors/postgres/probe.ts';
import { parseLsn } from '../../../schemas/lsn.ts';
import { testDatabase, type TestDatabase } from '../../support/postgres.ts';
import { expectEqualTable } from '../../support/source-faults.ts';
import { sourceRig } from '../../support/source-rig.ts';

const NOTES = { table: 'public.notes', body: 'body', metadata: ['n'] };

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
  await database.sql('CREATE TABLE notes (id int PRIMARY KEY, body text, n int)');
});
afterEach(() => database[Symbol.asyncDispose]());

test('R13: columns that come, go, change their type or get an enum, a domain or a default do not stop the stream', async () => {
  const rig = sourceRig(database, [NOTES]);
  const running = rig.start();
  await rig.caughtUp(running);
  await database.sql(`INSERT INTO notes VALUES (1, 'a', 1)`);
  await database.sql(`ALTER TABLE notes ADD extra text NOT NULL DEFAULT 'x'; INSERT INTO notes VALUES (2, 'b', 2)`);
  await database.sql(`ALTER TABLE notes DROP extra; INSERT INTO notes VALUES (3, 'c', 3)`);
  await database.sql(`ALTER TABLE notes ALTER n TYPE int8; UPDATE notes SET n = n * 2`);
  await rig.caughtUp(running);
  expect(rig.content()).toEqual([
    { id: 1, body: 'a', n: 2 },
    { id: 2, body: 'b', n: 4 },
    { id: 3, body: 'c', n: 6 },
  ]);
  await database.sql(
    `CREATE TYPE mood AS ENUM ('glad'); ALTER TABLE notes ALTER body TYPE mood[] USING ARRAY['glad'::mood]; UPDATE notes SET n = 1`,
  );
  await database.sql(`ALTER TYPE mood ADD VALUE 'sad'`);
  await database.sql(`UPDATE notes SET body = '{sad,glad}' WHERE id = 1`);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, 'SELECT id, body::text[] AS body, n::int AS n FROM notes');
  await database.sql(`ALTER TABLE notes RENAME n TO number; UPDATE notes SET number = 9`);
  await rig.caughtUp(running);
  expect(rig.content()[0]).not.toHaveProperty('n'); // absent, which the mapping turns into a dead letter with its reason
  await database.sql(`ALTER TABLE notes RENAME number TO n; UPDATE notes SET n = 10`);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, 'SELECT id, body::text[] AS body, n::int AS n FROM notes');
  expect(rig.state()?.epochs).toHaveLength(1);
  await running.stop();
});

test('R13: a table that is renamed stays the one that the config means, also after a restart', async () => {
  const rig = sourceRig(database, [NOTES]);
  const running = rig.start();
  await rig.caughtUp(running);
  await database.sql(`ALTER TABLE notes RENAME TO remarks; INSERT INTO remarks VALUES (1, 'renamed', 1)`);
  await rig.caughtUp(running);
  await running.stop();
  await database.sql(`INSERT INTO remarks VALUES (2, 'while away', 2)`);
  const again = rig.start();
  await rig.caughtUp(again);
  await expectEqualTable(rig, database, 'SELECT id, body, n FROM remarks');
  await again.stop();
});

test('R13: a primary key that is made of other columns leads to a resync, because all ids change', async () => {
  const rig = sourceRig(database, [NOTES]);
  await database.sql(`ALTER TABLE notes ADD code int; INSERT INTO notes VALUES (1, 'a', 1, 11), (2, 'b', 2, 12)`);
  const running = rig.start();
  await rig.caughtUp(running);
  await database.sql('ALTER TABLE notes DROP CONSTRAINT notes_pkey, ADD PRIMARY KEY (code)');
  await database.sql('UPDATE notes SET n = 5');
  await rig.log.until(() => rig.state()?.epochs.length === 2);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, 'SELECT code, body, n FROM notes');
  await running.stop();
});

test('R16: a slot moves on while only another database is busy', async () => {
  const rig = sourceRig(database, [NOTES], { heartbeatMs: 100 });
  const running = rig.start();
  await rig.caughtUp(running);
  const other = new pg.Client({ connectionString: inject('postgresUrl') });
  await other.connect();
  for (let n = 0; n < 20; n++)
    await other.query(`SELECT pg_logical_emit_message(false, 'other', repeat('x', 5000000))`);
  await other.query('CHECKPOINT');
  const retained = async (): Promise<number> => {
    await other.query('SELECT pg_log_standby_snapshot()');
    const [row] = await database.sql<{ retained: string }>(
      'SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS retained FROM pg_replication_slots WHERE slot_name = $1',
      [rig.config.slot],
    );
    return Number(row?.retained);
  };
  await expect.poll(retained, { timeout: 30_000, interval: 100 }).toBeLessThan(64 * 1024 ** 2);
  await other.end();
  await running.stop();
});

test('R16: an idle source writes heartbeats, and its position goes on', async () => {
  const rig = sourceRig(database, [NOTES], { heartbeatMs: 50 });
  const running = rig.start();
  await rig.caughtUp(running);
  const positions = new Set<string | undefined>();
  await rig.log.until(() => positions.add(rig.state()?.position).size >= 4);
  await running.stop();
});

test('a position that was taken from the server is reached without further writes', async () => {
  const rig = sourceRig(database, [NOTES], { heartbeatMs: 0 });
  const running = rig.start();
  for (let n = 0; n < 50; n++) {
    await database.sql(`INSERT INTO notes VALUES (${n}, repeat('x', ${n * 163}), 1)`);
    const position = await captureCurrentPosition(rig.config, new AbortController().signal);
    await rig.log.until(
      () => (parseLsn(rig.state()?.position ?? '') ?? 0n) >= position && rig.state()?.snapshot === null,
    );
  }
  await running.stop();
});

test('check names what is wrong with a source and how to mend it', async () => {
  await database.sql('CREATE TABLE keyless (body text)');
  const config = sourceRig(database, [NOTES]).config;
  const { signal } = new AbortController();
  expect((await probe(config, signal)).filter(({ status }) => status === 'error')).toEqual([]);
  const wrong = await probe({ ...config, tables: [{ table: 'public.keyless', body: 'body' }] }, signal);
  expect(wrong.find(({ check }) => check === 'tables')).toMatchObject({
    status: 'error',
    message: expect.stringContaining('ADD PRIMARY KEY') as string,
  });
  const unreachable = await probe({ ...config, connection: 'postgresql://x:secret@127.0.0.1:1/none' }, signal);
  expect(unreachable).toMatchObject([{ check: 'connection', status: 'error' }]);
  expect(JSON.stringify(unreachable)).not.toContain('secret');
});
