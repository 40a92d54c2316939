import { expect, test } from 'vitest';
import type { TableConfig } from '../../runtime/config/config.ts';
import { debeziumRig, engine } from '../../test/support/debezium-rig.ts';
import { testDatabase } from '../../test/support/postgres.ts';

/** A table for every type of a key, with values that are printed in more than one way. */
const KEYS: readonly (readonly [type: string, ...values: readonly string[]])[] = [
  ['text', `'He said "hi"'`, `'ünï 😀 / \\ \t'`, `''`, `E'\\x0b\\x1f\\x7f'`],
  ['char(5)', `'ab'`],
  ['bool', 'true', 'false'],
  ['int2', '-7'],
  ['int4', '42'],
  ['int8', '9223372036854775807', '9007199254740993'],
  ['numeric', '1.50', '0', '-0.00000001', '123456789012345678901234567890.5', '1e20', '100'],
  ['numeric(10,2)', '1.5', '100'],
  ['date', `'2026-01-31'`, `'0999-12-31'`],
  ['timestamp', `'2026-01-31 12:34:56.789'`, `'2026-01-31'`, `'2026-01-31 12:34'`],
  ['timestamptz', `'2026-01-31 12:34:56.789123+02'`, `'2026-01-31 00:00+00'`, `'2026-01-31 00:00:00.5+00'`],
  ['time', `'12:34:56.5'`, `'00:00'`, `'12:34'`],
  ['bytea', `'\\x00ff10'`, `''`],
  ['uuid', `'6f1c1c7e-52d6-4f1c-8f3c-1234567890ab'`],
  ['mood', `'ok'`],
  ['positive', '7'],
  ['inet', `'10.0.0.1/24'`, `'10.0.0.1'`],
  ['oid', '42'],
  ['timestamptz(3)', `'2026-01-31 12:34:56.789123+02'`, `'2026-01-31 00:00+00'`],
  ['timestamp(3)', `'2026-01-31 12:34:56.5'`, `'2026-01-31 00:00'`],
];

test('rows that are read stand in the partition of their changes, whatever the type of their key', async () => {
  await using database = await testDatabase(engine('POSTGRES_TEST_URL'));
  await database.sql(`CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (value > 0)`);
  for (const [nth, [type, ...values]] of KEYS.entries())
    await database.sql(
      `CREATE TABLE t${nth} (id ${type} PRIMARY KEY, body text); INSERT INTO t${nth} VALUES ${values.map((value) => `(${value}, 'b')`).join()}`,
    );
  await database.sql(
    `CREATE TABLE pairs (b text, body text, a int, PRIMARY KEY (a, b)); INSERT INTO pairs SELECT 'x' || i, 'b', i FROM generate_series(1, 9) i`,
  );
  await database.sql(
    `CREATE TABLE stated (a int NOT NULL, body text, b text NOT NULL); ALTER TABLE stated REPLICA IDENTITY FULL; INSERT INTO stated SELECT i, 'b', 'x' || i FROM generate_series(1, 9) i`,
  );
  const tables: TableConfig[] = [...KEYS.map((_, nth) => `public.t${nth}`), 'public.pairs'].map((table) => ({
    table,
    body: 'body',
  }));
  tables.push({ table: 'public.stated', body: 'body', key: ['b', 'a'] });
  await using rig = await debeziumRig({ database: 'postgres', connection: database.url, tables }, 8);
  rig.start();
  const now = async (): Promise<string> =>
    (await database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn'))[0]?.lsn ?? '';
  await rig.reached(await now());
  for (const { table } of tables) await database.sql(`UPDATE ${table} SET body = 'c'`);
  await rig.reached(await now());
  const { partitions, parked } = await rig.decoded();
  expect(parked).toEqual([]);
  expect(partitions.size).toBe(KEYS.reduce((sum, [, ...values]) => sum + values.length, 18));
  expect([...partitions].filter(([, found]) => found.size > 1).map(([id, found]) => [id, [...found]])).toEqual([]);
});
