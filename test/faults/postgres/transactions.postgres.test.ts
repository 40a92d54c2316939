import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatLsn, parseLsn } from '../../../schemas/lsn.ts';
import { testDatabase, type TestDatabase } from '../../support/postgres.ts';
import { crashAtAppend, endsOrCatchesUp, expectEqualTable, repair } from '../../support/source-faults.ts';
import { sourceRig } from '../../support/source-rig.ts';

const NOTES = { table: 'public.notes', body: 'body', metadata: ['n'] };
const ALL = 'SELECT id, body, n FROM notes';
/** Small, so that a transaction of a few hundred kB goes to the log in many pieces. */
const PIECES = { maxInFlightBytes: 65_536 };

let database: TestDatabase;
beforeEach(async () => {
  database = await testDatabase();
  await database.sql('CREATE TABLE notes (id int PRIMARY KEY, body text, n int)');
});
afterEach(() => database[Symbol.asyncDispose]());

test('R03, B03: a 10,000-row transaction that is interrupted is whole in the end, and one that is rolled back is never seen', async () => {
  const rig = sourceRig(database, [NOTES], PIECES);
  let running = rig.start();
  await rig.caughtUp(running);
  await database.sql(`BEGIN; INSERT INTO notes SELECT -n, 'rolled back', n FROM generate_series(1, 2000) n; ROLLBACK`);
  await database.sql(`INSERT INTO notes SELECT n, repeat('x', 50), n FROM generate_series(1, 10000) n`);
  for (const appends of [1, 3, 7]) {
    crashAtAppend(rig, appends);
    expect(await endsOrCatchesUp(rig, running)).toBe(true);
    repair(rig);
    running = rig.start();
  }
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, ALL);
  expect(JSON.stringify(rig.content())).not.toContain('rolled back');
  await running.stop();
});

test('R04: a COPY of 1,000 rows with one position is whole, wherever it is interrupted', async () => {
  const rig = sourceRig(database, [NOTES], PIECES);
  let running = rig.start();
  await rig.caughtUp(running);
  await database.sql(`ALTER TABLE notes ALTER body SET DEFAULT repeat('y', 3000)`);
  let crashes = 0;
  for (let k = 0; k < 50; k++) {
    await database.sql('DELETE FROM notes');
    await rig.caughtUp(running);
    rig.log.records.splice(0, rig.log.records.length - 1); // the state comes last in every append
    crashAtAppend(rig, k);
    await database.sql(`COPY notes (id, n) FROM PROGRAM 'seq 1 1000 | sed "s/.*/&\\t&/"'`);
    if (await endsOrCatchesUp(rig, running)) {
      crashes++;
      repair(rig);
      running = rig.start();
    }
    repair(rig);
    await rig.caughtUp(running);
    await expectEqualTable(rig, database, ALL);
  }
  expect(crashes).toBeGreaterThanOrEqual(20);
  await running.stop();
});

test('B01: the server never hears of a position that is not durable in the log', async () => {
  const rig = sourceRig(database, [NOTES], PIECES);
  const running = rig.start();
  await rig.caughtUp(running);
  const slot = async (): Promise<bigint> => {
    const [row] = await database.sql<{ lsn: string }>(
      'SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1',
      [rig.config.slot],
    );
    return parseLsn(row?.lsn ?? '') ?? 0n;
  };
  const violations: string[] = [];
  rig.log.beforeAppend = async () => {
    const confirmed = await slot();
    const durable = parseLsn(rig.state()?.position ?? '') ?? 0n;
    if (confirmed > durable) violations.push(`${formatLsn(confirmed as never)} > ${formatLsn(durable as never)}`);
  };
  for (let n = 0; n < 30; n++)
    await database.sql(`INSERT INTO notes SELECT ${n} * 100 + i, repeat('x', 500), i FROM generate_series(1, 90) i`);
  await rig.caughtUp(running);
  expect(violations).toEqual([]);
  expect(await slot()).toBeGreaterThan(0n);
  await running.stop();
});

test('B04: changes right at the stored position come neither late nor never', async () => {
  const rig = sourceRig(database, [NOTES]);
  for (let n = 1; n <= 10; n++) {
    const running = rig.start();
    await database.sql(`INSERT INTO notes VALUES (${n * 2}, 'a', 1)`);
    await rig.caughtUp(running);
    await running.stop();
    await database.sql(`INSERT INTO notes VALUES (${n * 2 + 1}, 'b', 1)`);
  }
  const running = rig.start();
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, ALL);
  await running.stop();
});

test('B06: a keepalive is not answered with a position whose changes are still on their way into the log', async () => {
  const rig = sourceRig(database, [NOTES]);
  const running = rig.start();
  await rig.caughtUp(running);
  const before = parseLsn(rig.state()?.position ?? '') ?? 0n;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((done) => (open = done));
  let isHeld: () => void = () => undefined;
  const held = new Promise<void>((done) => (isHeld = done));
  rig.log.beforeAppend = () => {
    isHeld();
    return gate;
  };
  await database.sql(`INSERT INTO notes VALUES (1, 'held up', 1)`);
  await held;
  // Other traffic makes the server send keepalives beyond the change that is held up.
  for (let n = 0; n < 20; n++) await database.sql('CREATE TEMP TABLE t AS SELECT 1; DROP TABLE t');
  const [row] = await database.sql<{ lsn: string }>(
    'SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1',
    [rig.config.slot],
  );
  expect(parseLsn(row?.lsn ?? '')).toBeLessThanOrEqual(before);
  open();
  repair(rig);
  await rig.caughtUp(running);
  await expectEqualTable(rig, database, ALL);
  await running.stop();
});
