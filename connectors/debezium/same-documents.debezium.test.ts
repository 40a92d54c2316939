import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeChange } from '../../pipeline/stages/decode-change.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import type { Document } from '../../schemas/document.ts';
import { debeziumRig, engine, type DebeziumRig } from '../../test/support/debezium-rig.ts';
import { capturedTopic } from '../captured-tables.ts';
import { testDatabase, type TestDatabase } from '../../test/support/postgres.ts';
import { sourceRig } from '../../test/support/source-rig.ts';

let database: TestDatabase;
let rig: DebeziumRig;

/** Column, type, and values that have given somebody trouble. */
const COLUMNS: readonly (readonly [name: string, type: string, ...values: readonly string[]])[] = [
  ['a_text', 'text', `'He said "hi", ünï 😀'`, `''`, `'2026-01-31T12:34:56Z'`, `'{"x":1}'`],
  ['a_varchar', 'varchar(20)', `'v'`],
  ['a_char', 'char(5)', `'ab'`],
  ['a_bool', 'bool', 'true', 'false'],
  ['a_int2', 'int2', '32767'],
  ['a_int4', 'int4', '-2147483648'],
  ['a_int8', 'int8', '9223372036854775807', '-9223372036854775808', '9007199254740993', '42'],
  ['a_float4', 'float4', '1.1', `'NaN'`, '1e6', '1e-5', '123456.7'],
  ['a_float8', 'float8', '1e20', `'-Infinity'`, '1e15', '123456789012345680', '0.1', '1e-7'],
  ['a_numeric', 'numeric', '123456789012345678901234567890.123456789', `'NaN'`, `'Infinity'`, '0.00', '1e-8'],
  ['a_money', 'numeric(10,2)', '1.50', '-0.50'],
  ['a_date', 'date', `'2026-01-31'`, `'infinity'`, `'-infinity'`, `'12026-01-31'`],
  ['a_timestamp', 'timestamp', `'2026-01-31 12:34:56.789'`, `'-infinity'`, `'infinity'`, `'2026-01-31'`],
  ['a_timestamptz', 'timestamptz', `'2026-01-31 12:34:56.789123+02'`, `'infinity'`, `'0044-03-15 00:00+00 BC'`],
  ['a_time', 'time', `'12:34:56.5'`, `'00:00'`, `'23:59:59.999999'`],
  [
    'a_interval',
    'interval',
    `'1 year 2 mons -3 days 04:05:06.789'`,
    `'-1 days -00:00:01'`,
    `'0'`,
    `'10000 hours'`,
    `'-1 year'`,
  ],
  ['a_bytea', 'bytea', `'\\x00ff10'`, `''`],
  ['a_uuid', 'uuid', `'6f1c1c7e-52d6-4f1c-8f3c-1234567890ab'`],
  ['a_json', 'json', `'{"a": 1}'`],
  ['a_jsonb', 'jsonb', `'{"b":  2, "a": [1.50]}'`],
  ['a_xml', 'xml', `'<a>x</a>'`],
  ['a_inet', 'inet', `'10.0.0.1/24'`, `'::1'`],
  ['a_bit1', 'bit(1)', `B'1'`, `B'0'`],
  ['a_bit12', 'bit(12)', `B'101000000001'`],
  ['a_point', 'point', `'(1.5,2)'`],
  ['a_box', 'box', `'(1,2),(3,4.5)'`],
  ['a_range', 'int4range', `'[1,5)'`],
  ['a_enum', 'mood', `'ok'`],
  ['a_domain', 'positive', '7'],
  ['a_label', 'label', `'text of a domain'`],
  ['a_oid', 'oid', '42'],
  ['a_composite', 'pair', `'(1,"x,y")'`],
  ['a_tsvector', 'tsvector', `'a fat cat'`],
  ['a_lsn', 'pg_lsn', `'16/B374D848'`],
  ['texts', 'text[]', `'{a,"b \\"c\\" , d",NULL,"","NULL"}'`, `'{}'`],
  ['ints', 'int[]', `'{1,NULL,3}'`],
  ['longs', 'int8[]', `'{9007199254740993,1}'`],
  ['bools', 'bool[]', `'{t,f}'`],
  ['numerics', 'numeric[]', `'{1.50,2}'`],
  ['floats', 'float8[]', `'{1.5,1e20,NaN}'`],
  ['dates', 'date[]', `'{2026-01-31}'`],
  ['stamps', 'timestamptz[]', `'{"2026-01-31 12:34:56.789+02"}'`],
  ['uuids', 'uuid[]', `'{6f1c1c7e-52d6-4f1c-8f3c-1234567890ab}'`],
  ['jsons', 'jsonb[]', `ARRAY['{"a":1}']::jsonb[]`],
  ['moods', 'mood[]', `'{ok,sad}'`],
  ['blobs', 'bytea[]', `ARRAY['\\x00ff'::bytea]`],
];

const names = COLUMNS.map(([name]) => name);
const TYPES: TableConfig = { table: 'public.types', body: names, metadata: names };
const TOAST: TableConfig = {
  table: 'public.toast',
  body: ['body', 'doc', 'raw', 'texts', 'ints', 'longs', 'blobs', 'uuids', 'docs', 'mark'],
};
const KEYS: TableConfig = { table: 'public.keys', body: 'v' };
const tables = [TYPES, TOAST, KEYS];

beforeEach(async () => {
  database = await testDatabase(engine('POSTGRES_TEST_URL'));
  await database.sql(
    `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (value > 0); CREATE DOMAIN label AS text;
     CREATE TYPE pair AS (a int, b text);
     CREATE TABLE types (id int PRIMARY KEY, ${COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ')});
     ALTER TABLE types REPLICA IDENTITY FULL;
     CREATE TABLE toast (id int PRIMARY KEY, mark int, body text, doc jsonb, raw bytea, texts text[], ints int[], longs int8[], blobs bytea[], uuids uuid[], docs jsonb[]);
     CREATE TABLE keys (t text, n numeric(5,2), at timestamptz, u uuid, b bytea, v text, PRIMARY KEY (t, n, at, u, b))`,
  );
  rig = await debeziumRig({ database: 'postgres', connection: database.url, tables });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function insertEverything(first: number): Promise<void> {
  const widest = Math.max(...COLUMNS.map(({ length }) => length - 2));
  for (let nth = 0; nth < widest; nth++) {
    const values = COLUMNS.map(([, , ...values]) => values[nth] ?? 'NULL');
    await database.sql(`INSERT INTO types VALUES (${first + nth}, ${values.join(', ')})`);
  }
  const long = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)`;
  await database.sql(
    `INSERT INTO toast VALUES (${first}, 1, ${long}, jsonb_build_object('x', ${long}), ${long}::bytea, ARRAY[${long}], ARRAY(SELECT generate_series(1, 3000)),
       ARRAY(SELECT generate_series(1, 3000)::int8), ARRAY[${long}::bytea], ARRAY(SELECT md5(i::text)::uuid FROM generate_series(1, 300) i), ARRAY[jsonb_build_object('x', ${long})]);
     INSERT INTO keys VALUES ('a/b,c%#${first}', 1.50, '2026-01-31 12:34:56.5+02', '6f1c1c7e-52d6-4f1c-8f3c-1234567890ab', '\\x00ff', 'v')`,
  );
}

test('the same rows through our own connector and through Debezium are the same documents', async () => {
  await insertEverything(1);
  const own = sourceRig(database, tables, { name: rig.config.name, partitions: 2 });
  rig.start();
  const running = own.start();
  const now = async (): Promise<string> =>
    (await database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn'))[0]?.lsn ?? '';
  await rig.reached(await now());
  await own.caughtUp(running);

  await insertEverything(101);
  await database.sql('UPDATE toast SET mark = 2'); // every long value is left out
  await database.sql('UPDATE toast SET id = id + 1000 WHERE id = 101'); // and once more, under a new key
  await database.sql(`UPDATE keys SET v = 'w' WHERE t LIKE '%101'; UPDATE keys SET n = 2.25 WHERE t LIKE '%101'`);
  await database.sql(`UPDATE types SET a_text = 'touched' WHERE id > 100; DELETE FROM types WHERE id = 102`);
  await rig.reached(await now());
  await own.caughtUp(running);

  const ours = new Map<string, Document>();
  const stage = decodeChange({
    tables: new Map(tables.map((table) => [capturedTopic(rig.config.name, table), table])),
    log: own.log,
    deadLetters: { parked: async (ids) => ids.map(() => []) },
    maxDocumentBytes: 50_000_000,
    clock: systemClock,
  });
  const records = own.log.records.filter(({ topic }) => topic.startsWith(rig.config.name));
  for (const verdict of await stage.run(records, new AbortController().signal)) {
    if (verdict.kind !== 'emit') continue;
    for (const { change } of verdict.values) {
      if (change.kind === 'document') ours.set(change.id, change);
      if (change.kind === 'tombstone') ours.delete(change.id);
    }
  }
  await running.stop();
  const comparable = ({ position: _position, committedAt: _committedAt, ...rest }: Document): object => rest;
  const theirs = await rig.documents();
  expect(ours.size).toBe(2 * Math.max(...COLUMNS.map(({ length }) => length - 2)) - 1 + 2 + 2);
  expect([...theirs.keys()].toSorted()).toEqual([...ours.keys()].toSorted());
  for (const [id, document] of ours) expect(comparable(theirs.get(id) ?? document)).toEqual(comparable(document));
  expect(
    JSON.stringify([...theirs.values()], (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
  ).not.toContain('unavailable_value');
});
