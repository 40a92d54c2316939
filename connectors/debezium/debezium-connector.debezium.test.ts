import type { TableConfig } from '../../runtime/config/config.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { debeziumRig, engine, type DebeziumRig } from '../../test/support/debezium-rig.ts';
import { testDatabase, type TestDatabase } from '../../test/support/postgres.ts';
import { parseLsn } from '../../schemas/lsn.ts';
import { brokenPromises } from '../../test/support/debezium-promises.ts';

const ARTICLES: TableConfig = { table: 'public.articles', title: 'title', body: 'body', metadata: ['views'] };
const LONG = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)`;

let database: TestDatabase;
let rig: DebeziumRig;

beforeEach(async () => {
  database = await testDatabase(engine('POSTGRES_TEST_URL'));
  await database.sql(
    `CREATE TABLE articles (id int PRIMARY KEY, title text, body text, views int, secret text);
     INSERT INTO articles SELECT i, 'Title ' || i, 'Body ' || i, i, 'not mapped' FROM generate_series(1, 20) i`,
  );
  rig = await debeziumRig({ database: 'postgres', connection: database.url, tables: [ARTICLES] });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Position behind everything that is committed now. */
async function now(): Promise<string> {
  const [row] = await database.sql<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return row?.lsn ?? '';
}

/** Id and body of every document that an index would hold. */
async function bodies(): Promise<Record<string, string>> {
  const documents = [...(await rig.documents()).values()];
  return Object.fromEntries(documents.map(({ source, parts }) => [source.key, parts[0]?.text ?? '']));
}

async function rows(): Promise<Record<string, string>> {
  const found = await database.sql<{ id: number; body: string }>('SELECT id, body FROM articles');
  return Object.fromEntries(found.map(({ id, body }) => [String(id), body]));
}

/** From here on: where each transaction ends, as a slot of the test's own sees it. */
async function commitWatch(): Promise<() => Promise<ReadonlyMap<number, bigint>>> {
  const slot = `watch_${rig.config.slot}`;
  await database.sql(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  return async () => {
    const found = await database.sql<{ xid: string; lsn: string; data: Buffer }>(
      `SELECT xid::text, lsn::text, data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)`,
      [slot, rig.config.publication],
    );
    const commits = found.filter(({ data }) => data[0] === 'C'.charCodeAt(0));
    return new Map(commits.map(({ xid, lsn }) => [Number(xid), parseLsn(lsn) ?? 0n]));
  };
}

describe('a PostgreSQL source through Debezium', () => {
  test('rows that were there and changes of every kind end in the content of the table', async () => {
    rig.start();
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());

    await database.sql(`INSERT INTO articles VALUES (100, 'Long', ${LONG}, 1)`);
    await database.sql(`UPDATE articles SET views = 2 WHERE id = 100`); // leaves the TOASTed body out
    await database.sql(`UPDATE articles SET id = 101 WHERE id = 100`); // so does the change of its key
    await database.sql(`UPDATE articles SET body = 'changed' WHERE id = 2; DELETE FROM articles WHERE id = 3`);
    await database.sql(
      `ALTER TABLE articles ADD COLUMN extra int DEFAULT 7; INSERT INTO articles VALUES (102, 't', 'b', 1)`,
    );
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());

    await database.sql(`TRUNCATE articles; INSERT INTO articles VALUES (7, 'again', 'behind the truncation', 1)`);
    await rig.reached(await now());
    expect(await bodies()).toEqual({ 7: 'behind the truncation' });
    const text = (await rig.records()).map(({ value }) => Buffer.from(value ?? '').toString()).join('\n');
    expect(text).not.toContain('not mapped');
  });

  test('a touch and a rename while rows are read, or just before, find the text that they leave out', async () => {
    await database.sql(`UPDATE articles SET body = ${LONG}`);
    rig.start();
    const began = async (): Promise<boolean> =>
      (
        await database.sql('SELECT FROM pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn > $2', [
          rig.config.slot,
          '0/0',
        ])
      ).length > 0;
    await expect.poll(began, { timeout: 20_000, interval: 2 }).toBe(true);
    await database.sql('UPDATE articles SET id = id + 200 WHERE id > 15');
    // One row takes the id of another: were they read a moment later than the stream begins, each would be given the other's text.
    await database.sql(`UPDATE articles SET body = body || ' of 11' WHERE id = 11`);
    await database.sql('UPDATE articles SET id = 311 WHERE id = 11');
    await database.sql('UPDATE articles SET id = 11, views = 7 WHERE id = 12');
    await database.sql('UPDATE articles SET views = 8 WHERE id = 13; DELETE FROM articles WHERE id = 13');
    const waits = async (): Promise<boolean> =>
      (
        await database.sql(`SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`, [
          database.name,
        ])
      ).length > 0;
    const writer = await database.connect();
    await writer.query('BEGIN; LOCK TABLE articles IN ACCESS EXCLUSIVE MODE');
    await writer.query(
      `UPDATE articles SET views = 99 WHERE id < 5; UPDATE articles SET id = id + 100 WHERE id BETWEEN 5 AND 10`,
    );
    await expect.poll(waits, { timeout: 20_000 }).toBe(true); // the snapshot has begun, and sees none of it
    await writer.query('COMMIT');
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());
  });

  test('no watermark is ahead of what had come through its lane, in a hail of overlapping transactions', async () => {
    const { connector } = rig.start();
    await rig.reached(await now());
    const commitEnds = await commitWatch();
    const writers = await Promise.all([database.connect(), database.connect(), database.connect()]);
    await Promise.all(
      writers.map(async (writer, nth) => {
        for (let round = 0; round < 60; round++) {
          await writer.query('BEGIN');
          for (let i = 0; i < 5; i++)
            await writer.query('UPDATE articles SET body = $1 WHERE id = $2', [`round ${round}`, 1 + 3 * i + nth]);
          await writer.query('COMMIT');
        }
      }),
    );
    await rig.reached(await now());
    const { broken, checked } = brokenPromises(await rig.records(), await commitEnds());
    expect({ broken, checked }).toEqual({ broken: [], checked: 900 });
    expect(await bodies()).toEqual(await rows());
    await expect.poll(() => connector.health()).toMatchObject({ state: 'streaming', slot: { active: true } });
  });

  test('an open transaction holds nothing back, and is not claimed before it commits', async () => {
    rig.start();
    await rig.reached(await now());
    const commitEnds = await commitWatch();
    const writer = await database.connect();
    await writer.query(`BEGIN; UPDATE articles SET body = 'open' WHERE id = 1`);
    await database.sql(`UPDATE articles SET body = 'other' WHERE id = 2`);
    await rig.reached(await now());
    expect(await bodies()).toMatchObject({ 1: 'Body 1', 2: 'other' });
    await writer.query('COMMIT');
    await rig.reached(await now());
    expect(await bodies()).toMatchObject({ 1: 'open' });
    expect(brokenPromises(await rig.records(), await commitEnds())).toEqual({ broken: [], checked: 2 });
  });

  test('a dropped slot is seen, and rows that vanished meanwhile disappear (B07)', async () => {
    const { connector } = rig.start();
    await rig.reached(await now());
    await expect.poll(() => connector.health(), { timeout: 20_000 }).toMatchObject({ slot: { active: true } });
    await database.dropSlots();
    await database.sql(`DELETE FROM articles WHERE id = 5; UPDATE articles SET body = 'unseen' WHERE id = 6`);
    await rig.reached(await now(), 1);
    expect(await bodies()).toEqual(await rows());
    await expect.poll(() => connector.health()).toMatchObject({ state: 'streaming' });
    const resyncs = await rig.metrics.sourceResyncs.get();
    expect(resyncs.values.map(({ labels }) => labels['reason'])).toEqual([expect.stringMatching(/^slot-|^log-lost/)]);
  });

  test('a task that was killed and a process that was replaced go on where they were', async () => {
    const first = rig.start();
    await rig.reached(await now());
    await first.stop();
    await database.sql(`UPDATE articles SET body = 'while nobody looked' WHERE id = 9`);
    const second = rig.start();
    await database.sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL`,
      [rig.config.slot],
    );
    await database.sql(`UPDATE articles SET body = 'after the kill' WHERE id = 10`);
    await rig.reached(await now());
    expect(await bodies()).toEqual(await rows());
    expect((await rig.metrics.sourceResyncs.get()).values).toEqual([]);
    expect(second.connector.health().reason).toBeUndefined();
  });

  test('a table that cannot be captured is refused at the start, with the SQL that mends it', async () => {
    await database.sql('ALTER TABLE articles REPLICA IDENTITY NOTHING');
    await expect(rig.start().ended).rejects.toMatchObject({
      code: 'FRESHET_SOURCE_MISCONFIGURED',
      message: expect.stringContaining('REPLICA IDENTITY DEFAULT;') as string,
    });
  });
});
