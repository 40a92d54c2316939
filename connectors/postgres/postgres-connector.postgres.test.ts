import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/support/postgres.ts';
import { sourceRig } from '../../test/support/source-rig.ts';

const ARTICLES = { table: 'public.articles', title: 'title', body: ['body'], metadata: ['views', 'tags'] };

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
  await database.sql(
    'CREATE TABLE articles (id int PRIMARY KEY, title text, body text, views int8, tags text[], unmapped text)',
  );
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
});

const rows = () => database.sql('SELECT id, title, body, views::int AS views, tags FROM articles ORDER BY id');

test('a snapshot and the stream after it hold what the table holds', async () => {
  await database.sql(
    `INSERT INTO articles SELECT n, 'title ' || n, 'body', n, ARRAY['a', 'b "c"', NULL] FROM generate_series(1, 9) n`,
  );
  const rig = sourceRig(database, [ARTICLES], { snapshotBatchRows: 4 });
  const running = rig.start();
  await rig.caughtUp(running);
  expect(rig.content()).toEqual(await rows());
  await database.sql(`INSERT INTO articles VALUES (10, 'new', 'body', 1, '{}')`);
  await database.sql(`UPDATE articles SET title = NULL WHERE id = 2; DELETE FROM articles WHERE id = 3`);
  await rig.caughtUp(running);
  const sorted = rig.content().toSorted((a, b) => Number(a['id']) - Number(b['id']));
  expect(sorted).toEqual(await rows());
  await expect.poll(() => running.connector.health().state).toBe('streaming');
  await running.stop();
  expect(running.connector.health().state).toBe('stopped');
});

test('a stopped connector goes on where it stopped', async () => {
  const rig = sourceRig(database, [ARTICLES]);
  const first = rig.start();
  await rig.caughtUp(first);
  await first.stop();
  await database.sql(`INSERT INTO articles VALUES (1, 'while away', 'body')`);
  const second = rig.start();
  await rig.caughtUp(second);
  expect(rig.content()).toEqual(await rows());
  expect(rig.state()?.epochs).toHaveLength(1);
  await second.stop();
});
