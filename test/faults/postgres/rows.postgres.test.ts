import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UNAVAILABLE, type Envelope } from '../../../schemas/envelope.ts';
import { parseDocumentId } from '../../../schemas/ids.ts';
import { CONNECTOR_STATE_TOPIC } from '../../../schemas/topics.ts';
import { testDatabase, type TestDatabase } from '../../support/postgres.ts';
import { expectEqualTable } from '../../support/source-faults.ts';
import { sourceRig, type SourceRig } from '../../support/source-rig.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(() => database[Symbol.asyncDispose]());

function envelopes(rig: SourceRig): Envelope[] {
  return rig.log.records
    .filter(({ topic, value }) => topic !== CONNECTOR_STATE_TOPIC && value)
    .map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()) as Envelope)
    .filter((value) => !('kind' in value));
}

/** Does not compress, hence is stored out of line. */
const BIG = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)`;

describe.each([
  ['DEFAULT', ''],
  ['FULL', 'ALTER TABLE docs REPLICA IDENTITY FULL'],
  ['INDEX', 'CREATE UNIQUE INDEX docs_code ON docs (code); ALTER TABLE docs REPLICA IDENTITY USING INDEX docs_code'],
])('with REPLICA IDENTITY %s', (identity, sql) => {
  const DOCS = {
    table: 'public.docs',
    body: ['body', 'doc', 'raw', 'list'],
    metadata: ['n'],
    ...(identity === 'INDEX' && { key: ['code'] }),
  };
  const ALL = `SELECT ${identity === 'INDEX' ? 'code' : 'id'}, body, doc::text AS doc, '\\x' || encode(raw, 'hex') AS raw, list, n FROM docs`;

  beforeEach(async () => {
    await database.sql(
      `CREATE TABLE docs (id int PRIMARY KEY, code int NOT NULL, body text, doc jsonb, raw bytea, list text[], n int); ${sql}`,
    );
  });

  test('R05, B13: an update of another column leaves text, jsonb, bytea and arrays that are stored out of line as they are', async () => {
    const rig = sourceRig(database, [DOCS]);
    const running = rig.start();
    await rig.caughtUp(running);
    await database.sql(
      `INSERT INTO docs SELECT 1, 1, ${BIG}, jsonb_build_object('a', ${BIG}), decode(${BIG}, 'hex'), ARRAY[${BIG}, ${BIG}], 1`,
    );
    await database.sql('UPDATE docs SET n = 2');
    await rig.caughtUp(running);
    await expectEqualTable(rig, database, ALL);
    const update = envelopes(rig).findLast(({ op }) => op === 'u');
    const unchanged = [
      update?.after?.['body'],
      update?.after?.['doc'],
      update?.after?.['raw'],
      update?.after?.['list'],
    ];
    if (identity === 'FULL') expect(unchanged).not.toContain(UNAVAILABLE);
    else expect(unchanged).toEqual([UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]);
    await running.stop();
  });

  test('R06: key changes, in chains and swaps, move the whole content', async () => {
    const [key, other] = identity === 'INDEX' ? ['code', 'id'] : ['id', 'code'];
    const rig = sourceRig(database, [DOCS]);
    const running = rig.start();
    await rig.caughtUp(running);
    await database.sql(`INSERT INTO docs SELECT n, n, n || ${BIG}, NULL, NULL, NULL, n FROM generate_series(1, 5) n`);
    await database.sql(`UPDATE docs SET ${key} = 10 WHERE ${key} = 1`);
    await database.sql(
      `BEGIN; UPDATE docs SET ${key} = 20 WHERE ${key} = 2; UPDATE docs SET ${key} = 21 WHERE ${key} = 20;
       UPDATE docs SET n = 7 WHERE ${key} = 21; UPDATE docs SET ${key} = 22 WHERE ${key} = 21; COMMIT`,
    );
    await database.sql(
      `BEGIN; UPDATE docs SET ${key} = -1 WHERE ${key} = 3; UPDATE docs SET ${key} = 3 WHERE ${key} = 4;
       UPDATE docs SET ${key} = 4 WHERE ${key} = -1; COMMIT`,
    );
    await database.sql(
      `UPDATE docs SET ${key} = 50 WHERE ${key} = 5; INSERT INTO docs (${key}, ${other}, body) VALUES (5, 105, 'again')`,
    );
    await rig.caughtUp(running);
    await expectEqualTable(rig, database, ALL);
    await running.stop();
  });
});

test('R07: TRUNCATE of one and of three tables removes their rows, and nothing that is written after it or stands elsewhere', async () => {
  await database.sql(`CREATE TABLE a (id int PRIMARY KEY, body text);
    CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, body text);
    CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b, body text); CREATE TABLE d (id int PRIMARY KEY, body text)`);
  const rig = sourceRig(
    database,
    ['a', 'b', 'c', 'd'].map((name) => ({ table: `public.${name}`, body: 'body' })),
    { partitions: 3 },
  );
  const all = ['a', 'b', 'c', 'd']
    .map((name) => `SELECT id, '${name}' || body AS body FROM ${name}`)
    .join(' UNION ALL ');
  const running = rig.start();
  const fill = `INSERT INTO a SELECT n, 'a' FROM generate_series(1, 20) n; INSERT INTO b SELECT n, n, 'b' FROM generate_series(1, 20) n;
    INSERT INTO c SELECT n, n, 'c' FROM generate_series(1, 20) n; INSERT INTO d SELECT n, 'd' FROM generate_series(1, 20) n`;
  const plain = all.replaceAll(/'[abcd]' \|\| body/g, 'body');
  await database.sql(fill);
  await rig.caughtUp(running);
  await database.sql(`TRUNCATE c; INSERT INTO c VALUES (1, 1, 'after')`);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, plain);
  await database.sql(
    `BEGIN; INSERT INTO a VALUES (99, 'in the same transaction'); TRUNCATE a CASCADE; INSERT INTO a VALUES (1, 'new'); COMMIT`,
  );
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, plain);
  expect(await database.sql(plain)).toHaveLength(21);
  await running.stop();
});

test('R14: odd keys neither collide nor are cut, odd values arrive as PostgreSQL prints them', async () => {
  await database.sql(`CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN count AS int8;
    CREATE TABLE odd (k text, u uuid, at timestamptz, f float8, num numeric, day date, ok bool, mood mood, moods mood[], grid int[][],
      big int8, total count, flags bool[], PRIMARY KEY (k, u, at))`);
  const keys = ['a/b', 'a%2Fb', 'a,b', 'a.b:c', 'line\nbreak', '😀', '', ' ', '#1', '"quoted"', "it''s", '\\', 'ü'];
  for (const key of keys)
    await database.sql(
      `INSERT INTO odd VALUES ('${key}', '00000000-0000-4000-8000-000000000001', '2024-02-29 12:00:00.000001+02', 'NaN', 'Infinity',
       '0044-03-15 BC', true, 'glad', '{sad,glad}', '{{1,2},{3,NULL}}', 9007199254740993, 5, '{t,f,NULL}')`,
    );
  const columns = ['f', 'num', 'day', 'ok', 'mood', 'moods', 'grid', 'big', 'total', 'flags'];
  const rig = sourceRig(database, [{ table: 'public.odd', body: 'k', metadata: columns }], { snapshotBatchRows: 3 });
  const running = rig.start();
  await rig.caughtUp(running);
  const read = envelopes(rig).filter(({ op }) => op === 'r');
  expect(new Set(read.map(({ after }) => after?.['k']))).toEqual(new Set(keys.map((key) => key.replace("''", "'"))));
  const ids = rig.log.records
    .filter(({ key }) => key.startsWith('helpdesk/'))
    .map(({ key }) => parseDocumentId(key)?.key);
  expect(ids).toContainEqual(['a/b', '00000000-0000-4000-8000-000000000001', '2024-02-29 10:00:00.000001+00']);
  expect(read[0]?.after).toMatchObject({
    f: 'NaN',
    num: 'Infinity',
    day: '0044-03-15 BC',
    ok: true,
    mood: 'glad',
    moods: ['sad', 'glad'],
    grid: [
      [1, 2],
      [3, null],
    ],
    big: '9007199254740993',
    total: 5,
    flags: [true, false, null],
  });
  await database.sql(`UPDATE odd SET f = '-Infinity', day = 'infinity', num = 'NaN'`);
  await rig.caughtUp(running);
  const streamed = envelopes(rig).filter(({ op }) => op === 'u');
  expect(streamed).toHaveLength(keys.length);
  expect(streamed[0]?.after).toMatchObject({
    ...read[0]?.after,
    k: streamed[0]?.after?.['k'],
    f: '-Infinity',
    day: 'infinity',
    num: 'NaN',
  });
  await running.stop();
});

test('R14: tables that cannot be captured are all named at the start, with the SQL that mends them', async () => {
  await database.sql(`CREATE TABLE keyless (body text); CREATE TABLE silent (id int PRIMARY KEY, body text);
    ALTER TABLE silent REPLICA IDENTITY NOTHING; CREATE TABLE late (id int PRIMARY KEY DEFERRABLE, body text)`);
  const tables = ['keyless', 'silent', 'late', 'missing'].map((name) => ({ table: `public.${name}`, body: 'body' }));
  const rig = sourceRig(database, tables);
  const running = rig.start();
  const message = await running.ended.catch((error: Error) => error.message);
  expect(message).toContain('public.keyless has no primary key: ALTER TABLE "public"."keyless" ADD PRIMARY KEY');
  expect(message).toContain('ALTER TABLE "public"."silent" REPLICA IDENTITY DEFAULT;');
  expect(message).toContain('public.late is deferrable');
  expect(message).toContain('public.missing does not exist');
  expect(running.connector.health().state).toBe('failed');
});

test('R15: rows of 10 MB pass in snapshot and stream without more than the limit being held', async () => {
  await database.sql('CREATE TABLE large (id int PRIMARY KEY, body text)');
  const big = `repeat(md5(random()::text), 327680)`;
  await database.sql(`INSERT INTO large SELECT n, ${big} FROM generate_series(1, 4) n`);
  const rig = sourceRig(database, [{ table: 'public.large', body: 'body' }], { maxInFlightBytes: 1_048_576 });
  let most = 0;
  rig.log.beforeAppend = (records) => {
    const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    most = Math.max(most, bytes);
  };
  const running = rig.start();
  await rig.caughtUp(running);
  await database.sql(`UPDATE large SET body = ${big}; INSERT INTO large VALUES (9, ''), (10, '   ')`);
  await rig.caughtUp(running);
  expect(most).toBeLessThan(25_000_000);
  const lengths = (rows: readonly object[]): unknown =>
    rows
      .map((row) => Object.values(row)[1] as string)
      .map((text) => text.length)
      .toSorted((a, b) => a - b);
  expect(lengths(rig.content())).toEqual(lengths(await database.sql('SELECT id, body FROM large')));
  await running.stop();
});
