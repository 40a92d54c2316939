import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { positionOrder } from '../../schemas/source-position.ts';
import { debeziumRig, engine, type DebeziumRig } from '../../test/support/debezium-rig.ts';

const run = promisify(execFile);

let rig: DebeziumRig;
let database: string;

/** Runs SQL by the client that comes with the server; rows are lines, columns are parted by tabs. */
async function sql(text: string): Promise<readonly (readonly string[])[]> {
  const url = new URL(engine('MARIADB_TEST_URL'));
  const args = ['-h', url.hostname, '-P', url.port, '-u', url.username, '--default-character-set=utf8mb4', '-N', '-B'];
  const env = { ...process.env, MYSQL_PWD: decodeURIComponent(url.password) };
  const { stdout } = await run('mariadb', [...args, '-e', text], { env });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));
}

async function now(): Promise<string> {
  const [[file, offset] = []] = await sql('SHOW MASTER STATUS');
  return `${file}:${offset}`;
}

async function bodies(): Promise<Record<string, string>> {
  const documents = [...(await rig.documents()).values()];
  return Object.fromEntries(documents.map(({ source, parts }) => [source.key, parts[0]?.text ?? '']));
}

async function rows(): Promise<Record<string, string>> {
  return Object.fromEntries(
    (await sql(`SELECT id, body FROM ${database}.t`)).map(([id = '', body = '']) => [id, body]),
  );
}

beforeEach(async () => {
  database = `d${crypto.randomUUID().replaceAll('-', '').slice(0, 10)}`;
  await sql(
    `CREATE DATABASE ${database} CHARACTER SET utf8mb4; USE ${database};
     CREATE TABLE t (id bigint PRIMARY KEY, body text, n decimal(10,2), dt datetime(6), ts timestamp(3) NULL, d date, ti time(3), f float,
       b tinyint(1), bits bit(4), bin varbinary(10), js json, e enum('a','b'), u bigint unsigned);
     INSERT INTO t VALUES (1, 'erste ü😀', 1.50, '2026-01-31 12:34:56.789', '2026-01-31 12:34:56.5', '2026-01-31', '12:34:56.5', 1.1,
       1, b'1010', x'00ff', '{"a":1}', 'a', 18446744073709551615);
     INSERT INTO t (id, body) VALUES (2, 'zwei'), (3, 'drei')`,
  );
  rig = await debeziumRig({
    database: 'mariadb',
    connection: engine('MARIADB_TEST_URL'),
    tables: [
      {
        table: `${database}.t`,
        body: 'body',
        metadata: ['n', 'dt', 'ts', 'd', 'ti', 'f', 'b', 'bits', 'bin', 'js', 'e', 'u'],
      },
    ],
  });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await sql(`DROP DATABASE ${database}`);
});

describe('a MariaDB source through Debezium', () => {
  test('rows that were there and changes of every kind end in the content of the table', async () => {
    rig.start();
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());
    const first = [...(await rig.documents()).values()].find(({ source }) => source.key === '1');
    expect(first?.metadata).toEqual({
      n: '1.50',
      dt: '2026-01-31 12:34:56.789',
      ts: '2026-01-31 12:34:56.5+00',
      d: '2026-01-31',
      ti: '12:34:56.5',
      f: '1.1',
      b: 1,
      bits: '1010',
      bin: '\\x00ff',
      js: '{"a":1}',
      e: 'a',
      u: '18446744073709551615',
    });

    await sql(
      `USE ${database}; UPDATE t SET body = 'zwei b' WHERE id = 2; UPDATE t SET id = 30 WHERE id = 3; DELETE FROM t WHERE id = 1`,
    );
    // One statement changes one key several times, in one event; the last one counts.
    await sql(
      `USE ${database}; REPLACE INTO t (id, body) VALUES (7, 'a'), (7, 'b'), (7, 'c'); UPDATE t SET id = id + 1 ORDER BY id DESC`,
    );
    await sql(
      `USE ${database}; ALTER TABLE t ADD COLUMN extra int DEFAULT 7; INSERT INTO t (id, body) VALUES (100, 'after DDL')`,
    );
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());

    await sql(`USE ${database}; TRUNCATE t; INSERT INTO t (id, body) VALUES (5, 'behind the truncation')`);
    await rig.reached(await now());
    expect(await bodies()).toEqual({ 5: 'behind the truncation' });
  });

  test('no watermark is ahead of a change that comes behind it', async () => {
    rig.start();
    await rig.reached(await now());
    const statements = Array.from({ length: 80 }, (_, round) =>
      [1, 2, 3].map((id) => `UPDATE t SET body = 'round ${round}' WHERE id = ${id}`).join('; '),
    );
    await sql(`USE ${database}; ${statements.map((each) => `BEGIN; ${each}; COMMIT`).join('; ')}`);
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());
    const promised = new Map<string, bigint>();
    const early: string[] = [];
    for (const { topic, partition, value } of await rig.records()) {
      const record = value ? (JSON.parse(Buffer.from(value).toString()) as Wire) : {};
      const lane = `${topic}/${partition}`;
      if (record.kind === 'watermark') promised.set(lane, positionOrder(record.position ?? '') ?? 0n);
      const { op, source } = record.payload ?? {};
      if (!source || op === 'r') continue;
      const place = positionOrder(`${source.file}:${source.pos}`) ?? 0n;
      if (place < (promised.get(lane) ?? 0n)) early.push(`${source.file}:${source.pos}`);
    }
    expect(early).toEqual([]);
  });
});

interface Wire {
  readonly kind?: string;
  readonly position?: string;
  readonly payload?: { readonly op?: string; readonly source?: { readonly file: string; readonly pos: number } };
}
