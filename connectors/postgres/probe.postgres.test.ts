import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/support/postgres.ts';
import { probe } from './probe.ts';

let database: TestDatabase;
let role: string;
let connection: string;

beforeEach(async () => {
  database = await testDatabase();
  role = `reader_${database.name}`;
  await database.sql(`CREATE TABLE articles (id int PRIMARY KEY, body text);
    CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'water'; GRANT SELECT ON articles TO ${role}`);
  connection = Object.assign(new URL(database.url), { username: role, password: 'water' }).href;
});
afterEach(async () => {
  await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await database[Symbol.asyncDispose]();
});

const publication = async (url: string) => {
  const tables = [{ table: 'public.articles', body: 'body' }];
  const config = { name: 'help', kind: 'postgres' as const, connection: url, tables };
  return (await probe(config, new AbortController().signal)).find(({ check }) => check === 'publication');
};

test('a publication that the role may not make is a fault, with the statement for the owner', async () => {
  const expected = {
    status: 'error',
    fix: expect.stringMatching(/^Run as the tables' owner: CREATE PUBLICATION/) as unknown,
  };
  expect(await publication(connection)).toMatchObject(expected);
  expect(await publication(database.url)).toMatchObject({ status: 'warning' });
});

test('a publication that the owner has made as it should be is fine for a role that may only read', async () => {
  await database.sql('CREATE PUBLICATION freshet_help FOR TABLE articles WITH (publish_via_partition_root = true)');
  expect(await publication(connection)).toMatchObject({ status: 'ok' });
});

test('a publication of the owner that lacks something is a fault for a role that may only read', async () => {
  await database.sql('CREATE PUBLICATION freshet_help FOR TABLE articles');
  expect(await publication(connection)).toMatchObject({ status: 'error' });
});
