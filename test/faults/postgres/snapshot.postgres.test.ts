import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { capturedTopic } from '../../../connectors/captured-tables.ts';
import { decodeChange } from '../../../pipeline/stages/decode-change.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { Envelope } from '../../../schemas/envelope.ts';
import { CONNECTOR_STATE_TOPIC } from '../../../schemas/topics.ts';
import { testDatabase, type TestDatabase } from '../../support/postgres.ts';
import { crashAtAppend, endsOrCatchesUp, expectEqualTable, repair } from '../../support/source-faults.ts';
import { sourceRig, type SourceRig } from '../../support/source-rig.ts';

const NOTES = { table: 'public.notes', body: 'body', metadata: ['n'] };
const ALL = 'SELECT id, body, n FROM notes';

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
  await database.sql('CREATE TABLE notes (id int PRIMARY KEY, body text, n int)');
});
afterEach(() => database[Symbol.asyncDispose]());

/** Updates, deletes and inserts at random until stopped. Deterministic in its order, not in its timing. */
function load(client: pg.Client, rows: number): { stop(): Promise<number> } {
  let isStopped = false;
  let seed = 42;
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  const run = async (): Promise<number> => {
    let statements = 0;
    for (; !isStopped; statements++) {
      const id = random(rows);
      const kind = random(10);
      if (kind < 6) await client.query('UPDATE notes SET n = n + 1 WHERE id = $1', [id]);
      else if (kind < 8) await client.query('DELETE FROM notes WHERE id = $1', [id]);
      else if (kind < 9)
        await client.query('UPDATE notes SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM notes WHERE id = $2)', [
          id,
          rows + random(rows),
        ]);
      else
        await client.query(`INSERT INTO notes VALUES ($1, 'late', 0) ON CONFLICT (id) DO UPDATE SET body = 'later'`, [
          id,
        ]);
    }
    return statements;
  };
  const done = run();
  return {
    stop: () => {
      isStopped = true;
      return done;
    },
  };
}

/** Documents as the pipeline makes them of what the log holds, each as `id n body`: all versions, and what is left. */
async function documentsOf(
  rig: SourceRig,
): Promise<{ readonly all: readonly string[]; readonly last: readonly string[] }> {
  const stage = decodeChange({
    tables: new Map(rig.config.tables.map((table) => [capturedTopic(rig.config.name, table), table])),
    log: rig.log,
    deadLetters: { parked: async (ids) => ids.map(() => []) },
    maxDocumentBytes: 50_000_000,
    clock: systemClock,
  });
  const records = rig.log.records.filter(({ topic }) => topic !== CONNECTOR_STATE_TOPIC);
  const all: string[] = [];
  const last = new Map<string, string>();
  for (const verdict of await stage.run(records, new AbortController().signal)) {
    if (verdict.kind === 'reject') throw verdict.error;
    for (const { change } of verdict.kind === 'emit' ? verdict.values : []) {
      if (change.kind === 'tombstone') last.delete(change.id);
      if (change.kind !== 'document') continue;
      const text = `${change.source.key} ${String(change.metadata['n'])} ${change.parts[0]?.text}`;
      all.push(text);
      last.set(change.id, text);
    }
  }
  return { all: [...new Set(all)].toSorted(), last: [...last.values()].toSorted() };
}

function reads(rig: SourceRig): string[] {
  return rig.log.records
    .filter(({ topic, value }) => topic !== CONNECTOR_STATE_TOPIC && value)
    .filter(({ value }) => (JSON.parse(Buffer.from(value ?? []).toString()) as Partial<Envelope>).op === 'r')
    .map(({ key }) => key);
}

test('R08: a snapshot under load that is killed again and again goes on where it was, and ends in the table', async () => {
  const rows = 5_000;
  await database.sql(`INSERT INTO notes SELECT n, 'note ' || n, 0 FROM generate_series(1, ${rows}) n`);
  const rig = sourceRig(database, [NOTES], { snapshotBatchRows: 250 });
  const busy = load(await database.connect(), rows);
  let running = rig.start();
  for (let kill = 0; kill < 6; kill++) {
    crashAtAppend(rig, kill === 0 ? 3 : 4); // at the second page: the rows of one whose state is not stored are read again
    expect(await endsOrCatchesUp(rig, running)).toBe(true);
    repair(rig);
    running = rig.start();
  }
  await rig.log.until(() => rig.state()?.snapshot === null);
  expect(await busy.stop()).toBeGreaterThan(100);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, ALL);
  expect(rig.state()?.epochs).toHaveLength(1);
  const all = reads(rig);
  expect(new Set(all).size).toBe(all.length); // no row was read twice: it went on, it did not begin again
  await running.stop();
});

test('R08: what changes while a snapshot is interrupted is not mixed with the rows that show it already', async () => {
  await database.sql('ALTER TABLE notes ALTER body SET STORAGE EXTERNAL');
  const long = (text: string): string => `repeat('${text} ', 1000)`;
  await database.sql(`INSERT INTO notes SELECT n, repeat(n || ' ', 2000), 0 FROM generate_series(1, 8) n`);
  const rig = sourceRig(database, [NOTES], { snapshotBatchRows: 2, partitions: 1 });
  crashAtAppend(rig, 3); // the slot is made, rows 1 and 2 are in the log
  const first = rig.start();
  expect(await endsOrCatchesUp(rig, first)).toBe(true);
  repair(rig);
  expect(reads(rig)).toHaveLength(2);
  for (const sql of [
    'UPDATE notes SET n = 1', // leaves all texts out
    `UPDATE notes SET body = ${long('new')} WHERE id IN (2, 5)`,
    'UPDATE notes SET n = 2 WHERE id IN (1, 5)',
    'DELETE FROM notes WHERE id = 7',
    // Rows take each other's ids.
    'UPDATE notes SET id = 14 WHERE id = 4',
    'UPDATE notes SET id = 4, n = 3 WHERE id = 3',
    `INSERT INTO notes VALUES (3, ${long('third')}, 4)`,
    'UPDATE notes SET n = 5 WHERE id = 3',
  ])
    await database.sql(sql);
  const second = rig.start();
  await rig.caughtUp(second);
  await second.stop();
  const seen = await documentsOf(rig);
  const rows = await database.sql<{ id: number; body: string; n: number }>('SELECT id, body, n FROM notes ORDER BY id');
  expect(seen.last).toEqual(rows.map(({ id, body, n }) => `${id} ${n} ${body}`).toSorted());
  const committed = new Set(rows.map(({ id, body, n }) => `${id} ${n} ${body}`));
  // On the way there are only states that were: of the rows read at first, as they were then and with each change of theirs.
  expect([...seen.all].filter((document) => !committed.has(document)).map((document) => document.slice(0, 8))).toEqual([
    '1 0 1 1 ',
    '1 1 1 1 ',
    '2 0 2 2 ',
    '2 1 2 2 ',
  ]);
});

test('R09: after a re-snapshot with concurrent deletes there is no ghost, no older row and no duplicate', async () => {
  await database.sql(`INSERT INTO notes SELECT n, 'note ' || n, 0 FROM generate_series(1, 2000) n`);
  const rig = sourceRig(database, [NOTES], { snapshotBatchRows: 200 });
  const first = rig.start();
  await rig.caughtUp(first);
  await first.stop();
  await database.dropSlots();
  await database.sql('DELETE FROM notes WHERE id % 7 = 0');
  const busy = load(await database.connect(), 2_000);
  const second = rig.start();
  await rig.log.until(() => rig.state()?.epochs.length === 2 && rig.state()?.snapshot === null);
  await busy.stop();
  await rig.caughtUp(second);
  await expectEqualTable(rig, database, ALL);
  await second.stop();
});

test('B11: a row that was read never beats a change that was streamed, also of a transaction older than the snapshot', async () => {
  await database.sql(`INSERT INTO notes VALUES (1, 'old', 0), (2, 'old', 0)`);
  const writer = await database.connect();
  await writer.query(`BEGIN; UPDATE notes SET body = 'new' WHERE id = 1; DELETE FROM notes WHERE id = 2`);
  const rig = sourceRig(database, [NOTES]);
  const running = rig.start();
  // The slot waits for open transactions; one that is still open then commits after the snapshot with changes from before it.
  const late = await database.connect();
  await late.query(`BEGIN; INSERT INTO notes VALUES (3, 'late', 0)`);
  await writer.query('COMMIT');
  await late.query('COMMIT');
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, ALL);
  await running.stop();
});

test('B02: nothing is confirmed to the server before the snapshot is durable', async () => {
  await database.sql(`INSERT INTO notes SELECT n, 'note', 0 FROM generate_series(1, 500) n`);
  const rig = sourceRig(database, [NOTES], { snapshotBatchRows: 100 });
  const confirmed = new Set<unknown>();
  rig.log.beforeAppend = async () => {
    if (rig.state()?.snapshot == null) return;
    const [row] = await database.sql<{ lsn: string }>(
      'SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1',
      [rig.config.slot],
    );
    confirmed.add(row?.lsn);
  };
  const running = rig.start();
  await rig.caughtUp(running);
  expect(confirmed).toEqual(new Set([rig.state()?.epochs[0]?.fromCommitLsn]));
  await running.stop();
});

test('B12: no row appears twice and none stays that is gone, when a second snapshot comes while the stream runs', async () => {
  await database.sql(`INSERT INTO notes SELECT n, 'note', 0 FROM generate_series(1, 300) n`);
  const rig = sourceRig(database, [NOTES], { partitions: 3 });
  const running = rig.start();
  await rig.caughtUp(running);
  await database.sql(`ALTER PUBLICATION freshet_helpdesk DROP TABLE notes`);
  await database.sql('DELETE FROM notes WHERE id <= 100; UPDATE notes SET n = 5 WHERE id > 290');
  await rig.log.until(() => rig.state()?.epochs.length === 2);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, ALL);
  await expect.poll(() => running.connector.health().state).toBe('streaming');
  await running.stop();
});
