import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../../cli/demo/embedded-postgres.ts';
import type { Connector } from '../../../connectors/connector.ts';
import { reopen, testDatabase, type TestDatabase } from '../../support/postgres.ts';
import { expectEqualTable } from '../../support/source-faults.ts';
import { sourceRig, type SourceRig } from '../../support/source-rig.ts';

const NOTES = { table: 'public.notes', body: 'body', metadata: ['n'] };
const ALL = 'SELECT id, body, n FROM notes';
const SCHEMA = 'CREATE TABLE notes (id int PRIMARY KEY, body text, n int)';

const resyncs = async (rig: SourceRig): Promise<Record<string, number>> => {
  const { values } = await rig.metrics.sourceResyncs.get();
  return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]));
};

/** Looks whenever the log or the clock moves; tests wait for health with it. */
async function healthIs(connector: Connector, state: string): Promise<void> {
  await expect.poll(() => connector.health().state, { timeout: 20_000, interval: 20 }).toBe(state);
}

describe('with the server of the run', () => {
  let database: TestDatabase;
  let rig: SourceRig;
  beforeEach(async () => {
    database = await testDatabase();
    await database.sql(SCHEMA);
    await database.sql(`INSERT INTO notes SELECT n, 'note', 0 FROM generate_series(1, 100) n`);
    rig = sourceRig(database, [NOTES]);
  });
  afterEach(() => database[Symbol.asyncDispose]());

  /** Runs once, then changes the source while nobody looks, and runs again. */
  async function whileDown(change: () => Promise<unknown>): Promise<void> {
    const first = rig.start();
    await rig.caughtUp(first);
    await first.stop();
    await change();
    const second = rig.start();
    await rig.caughtUp(second);
    await expectEqualTable(rig, database, ALL);
    await second.stop();
  }

  test('R11: a slot that was dropped while we were away is noticed', async () => {
    await whileDown(async () => {
      await database.dropSlots();
      await database.sql('DELETE FROM notes WHERE id < 50');
    });
    expect(await resyncs(rig)).toEqual({ 'slot-missing': 1 });
  });

  test('B07: a slot that was dropped and made again while we were away is noticed', async () => {
    await whileDown(async () => {
      await database.dropSlots();
      await database.sql('DELETE FROM notes WHERE id < 50');
      await database.sql(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [rig.config.slot]);
    });
    expect(await resyncs(rig)).toEqual({ 'slot-moved': 1 });
  });

  test('R21: with more partitions the rows are read again, so that a change stands behind what it leaves out', async () => {
    await whileDown(async () => {
      rig.partitions = 5;
      await database.sql('UPDATE notes SET n = n + 1; DELETE FROM notes WHERE id < 50');
    });
    expect(await resyncs(rig)).toEqual({ 'partitions-added': 1 });
    await whileDown(() => database.sql('UPDATE notes SET n = n + 1'));
    expect(await resyncs(rig)).toEqual({ 'partitions-added': 1 });
  });

  test('R11: a publication that was dropped, or dropped and made again, is noticed', async () => {
    await whileDown(async () => {
      await database.sql('DROP PUBLICATION freshet_helpdesk');
      await database.sql('DELETE FROM notes WHERE id < 50');
    });
    await whileDown(async () => {
      await database.sql('ALTER PUBLICATION freshet_helpdesk DROP TABLE notes');
      await database.sql('DELETE FROM notes WHERE id < 60');
      await database.sql('ALTER PUBLICATION freshet_helpdesk ADD TABLE notes');
    });
    expect(await resyncs(rig)).toEqual({ 'publication-changed': 2 });
  });

  test('R11: a publication that left deletes out for a while is noticed', async () => {
    await whileDown(async () => {
      await database.sql(`ALTER PUBLICATION freshet_helpdesk SET (publish = 'insert')`);
      await database.sql('DELETE FROM notes WHERE id < 50');
    });
    expect(await resyncs(rig)).toEqual({ 'publication-changed': 1 });
  });

  test('R11: a table that is added is read, one that is removed is left alone', async () => {
    await database.sql(
      `CREATE TABLE more (id int PRIMARY KEY, body text, n int); INSERT INTO more VALUES (1000, 'more', 1)`,
    );
    const both = [NOTES, { ...NOTES, table: 'public.more' }];
    await whileDown(async () => {
      rig.config = { ...rig.config, tables: both };
      await database.sql(`ALTER TABLE more RENAME TO more2; ALTER TABLE more2 RENAME TO more`);
      await database.sql(`DELETE FROM more`);
    });
    expect(await resyncs(rig)).toEqual({ 'tables-added': 1 });
    const published = () =>
      database.sql(`SELECT tablename FROM pg_publication_tables WHERE pubname = 'freshet_helpdesk'`);
    expect(await published()).toHaveLength(2);
    await whileDown(async () => {
      rig.config = { ...rig.config, tables: [NOTES] };
      await database.sql(`INSERT INTO more VALUES (1001, 'unseen', 1)`);
    });
    expect(await published()).toEqual([{ tablename: 'notes' }]);
    expect(await resyncs(rig)).toEqual({ 'tables-added': 1 });
  });

  test('R11: a table that was dropped and made again is read again', async () => {
    await whileDown(async () => {
      await database.sql(`DROP TABLE notes; ${SCHEMA}; INSERT INTO notes VALUES (7, 'new table', 1)`);
    });
    expect(await resyncs(rig)).toEqual({ 'table-recreated': 1 });
  });

  test('B08: a slot that is invalidated in mid-stream leads to one clean resync', async () => {
    const running = rig.start();
    await rig.caughtUp(running);
    await database.dropSlots();
    await database.sql('DELETE FROM notes WHERE id < 50');
    await rig.log.until(() => rig.state()?.epochs.length === 2);
    await rig.caughtUp(running);
    await expectEqualTable(rig, database, ALL);
    expect(await resyncs(rig)).toEqual({ 'slot-missing': 1 });
    await running.stop();
  });

  test('B09: of two processes the newer one goes on, and the older one stops once and for all', async () => {
    const older = rig.start();
    await rig.caughtUp(older);
    const newer = rig.start();
    await expect(older.ended).rejects.toMatchObject({ code: 'FRESHET_SOURCE_FENCED' });
    await database.sql(`INSERT INTO notes VALUES (101, 'after', 1)`);
    await rig.caughtUp(newer);
    await expectEqualTable(rig, database, ALL);
    await expect.poll(() => newer.connector.health().state).toBe('streaming');
    expect(rig.state()).toMatchObject({ instance: 2 });
    await newer.stop();
  });

  test('B09: a slot that another deployment uses is left to it', async () => {
    const running = rig.start();
    await rig.caughtUp(running);
    const stranger = sourceRig(database, [NOTES], { slot: rig.config.slot ?? '' });
    await expect(stranger.start().ended).rejects.toThrow('in use by another program');
    await database.sql(`INSERT INTO notes VALUES (101, 'after', 1)`);
    await rig.caughtUp(running);
    expect(await resyncs(rig)).toEqual({});
    await running.stop();
  });

  test('B05: a position that the server has never reached is not started from', async () => {
    const first = rig.start();
    await rig.caughtUp(first);
    await first.stop();
    const ahead = Buffer.from(JSON.stringify({ ...rig.state(), position: 'FFFF/0' }));
    await rig.log.append([{ topic: 'freshet.connector-state', key: 'helpdesk', value: ahead }]);
    await database.sql('DELETE FROM notes WHERE id < 50');
    const second = rig.start();
    await rig.log.until(() => rig.state()?.epochs.length === 2);
    await rig.caughtUp(second);
    await expectEqualTable(rig, database, ALL);
    await second.stop();
    expect(await resyncs(rig)).toEqual({ 'position-went-back': 1 });
  });

  test('a broken connection is mended without loss, and shows in health', async () => {
    const running = rig.start();
    await rig.caughtUp(running);
    for (let n = 0; n < 3; n++) {
      await database.sql(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1 AND datname = current_database()',
        ['freshet%'],
      );
      await database.sql(`INSERT INTO notes VALUES (${200 + n}, 'after', 1)`);
      await rig.caughtUp(running);
    }
    await expectEqualTable(rig, database, ALL);
    expect(await resyncs(rig)).toEqual({});
    await running.stop();
  });
});

/** With owners and times, as a base backup would. */
function copyFolder(from: string, to: string): void {
  expect(spawnSync('cp', ['-a', from, to]).status).toBe(0);
}

describe('with a server of its own', () => {
  let folder: string;
  let server: EmbeddedPostgres;
  let database: TestDatabase;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-slot-'));
    await chmod(folder, 0o755);
  });
  afterEach(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (settings: Record<string, string> = {}): Promise<void> => {
    server = await startEmbeddedPostgres({
      dataDir: join(folder, 'data'),
      port: server?.port ?? 0,
      unsafeFast: true,
      settings,
    });
  };

  const burnWal = `SELECT count(pg_logical_emit_message(false, 'burn', repeat('x', 1000000))) FROM generate_series(1, 40)`;

  test('R10: a slot that is lost at a start or in mid-stream is noticed in ten seconds and resynced by itself', async () => {
    await start({ max_slot_wal_keep_size: '1MB', min_wal_size: '32MB', max_wal_size: '32MB' });
    database = await testDatabase(server.url);
    await database.sql(SCHEMA);
    await database.sql(`INSERT INTO notes SELECT n, 'note', 0 FROM generate_series(1, 100) n`);
    const rig = sourceRig(database, [NOTES], { heartbeatMs: 0 });
    const first = rig.start();
    await rig.caughtUp(first);
    await first.stop();
    const lose = async (): Promise<void> => {
      for (let n = 0; n < 3; n++) await database.sql(`${burnWal}; SELECT pg_switch_wal(); CHECKPOINT`);
    };
    await database.sql('DELETE FROM notes WHERE id < 20');
    await lose();
    const second = rig.start();
    await rig.caughtUp(second);
    await expectEqualTable(rig, database, ALL);
    expect(await resyncs(rig)).toEqual({ 'slot-lost': 1 });
    // Nothing is durable any more, so the slot stays behind until the server gives it up.
    let release: () => void = () => undefined;
    const held = new Promise<void>((done) => (release = done));
    rig.log.beforeAppend = () => held;
    await database.sql('DELETE FROM notes WHERE id < 40');
    await lose();
    await expect
      .poll(async () => (await database.sql(`SELECT wal_status FROM pg_replication_slots`))[0], { timeout: 20_000 })
      .toEqual({ wal_status: 'lost' });
    release();
    await expect.poll(() => second.connector.health().state, { timeout: 10_000, interval: 10 }).not.toBe('streaming');
    rig.log.beforeAppend = () => undefined;
    await healthIs(second.connector, 'streaming');
    await rig.caughtUp(second);
    await expectEqualTable(rig, database, ALL);
    expect(rig.state()?.epochs).toHaveLength(3);
    await second.stop();
  });

  test.each([
    ['is still behind', ''],
    ['has passed our position', `INSERT INTO notes SELECT -n, repeat('y', 500), 0 FROM generate_series(1, 5000) n`],
  ])(
    'R12: a server that was set back to an older copy and %s raises the epoch and converges',
    async (_, afterwards) => {
      await start();
      database = await testDatabase(server.url);
      await database.sql(SCHEMA);
      const rig = sourceRig(database, [NOTES]);
      await database.sql(`INSERT INTO notes SELECT n, 'backed up', 0 FROM generate_series(1, 50) n`);
      const first = rig.start();
      await rig.caughtUp(first);
      await first.stop();
      await server.stop();
      copyFolder(join(folder, 'data'), join(folder, 'backup'));
      await start();
      Object.assign(database, await reopen(server.url, database.name));
      const second = rig.start();
      await database.sql(`UPDATE notes SET body = 'after the backup'`);
      await database.sql(`INSERT INTO notes SELECT n, 'lost', 0 FROM generate_series(51, 3000) n`);
      await rig.caughtUp(second);
      await second.stop();
      await server.stop();
      await rm(join(folder, 'data'), { recursive: true });
      copyFolder(join(folder, 'backup'), join(folder, 'data'));
      await start();
      Object.assign(database, await reopen(server.url, database.name));
      if (afterwards) await database.sql(afterwards);
      const third = rig.start();
      await rig.log.until(() => rig.state()?.epochs.length === 2 && rig.state()?.snapshot === null);
      await rig.caughtUp(third);
      await expectEqualTable(rig, database, ALL);
      expect(await resyncs(rig)).toEqual({ 'position-went-back': 1 });
      await third.stop();
    },
  );
});
