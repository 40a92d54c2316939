import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { InvalidConfig, LogUnavailable, StorageFailed } from '../../runtime/errors.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Sqlite } from '../sqlite.ts';
import { logConformance } from './log.conformance.ts';
import type { LogReader, LogRecord, Offset, RecordPlace } from './log.ts';
import { openSqliteLog, type SqliteLog } from './sqlite-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'freshet-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const aPath = (): string => join(folder, `${files++}.db`);

/** The file as it is on disk at this moment, as a killed process leaves it; the members of the copy are a dead process's. */
function copyAsAfterKill(path: string): string {
  const copy = aPath();
  copyFileSync(path, copy);
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
  const db = new Sqlite({ path: copy, remedy: '', busy: (message) => new LogUnavailable(message) });
  db.exec(`UPDATE members SET process = 'killed'`);
  db.close();
  return copy;
}

logConformance('sqlite, in memory', async () => ({ log: openSqliteLog({ path: ':memory:', clock: systemClock }) }));

logConformance('sqlite, in a file', async () => {
  const path = aPath();
  return {
    log: openSqliteLog({ path, clock: systemClock }),
    reopen: async () => openSqliteLog({ path: copyAsAfterKill(path), clock: systemClock }),
  };
});

const HOUR_MS = 3_600_000;
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

async function aLog(options: { readonly path?: string; readonly clock?: FakeClock } = {}): Promise<SqliteLog> {
  const log = openSqliteLog({ path: options.path ?? ':memory:', clock: options.clock ?? new FakeClock() });
  opened.push(log);
  await log.createTopics([
    { name: 'events', partitions: 1, cleanup: 'delete', retentionMs: HOUR_MS },
    { name: 'state', partitions: 1, cleanup: 'compact' },
  ]);
  return log;
}

const append = async (log: SqliteLog, topic: string, key: string, text: string | null): Promise<RecordPlace> =>
  (await log.append([{ topic, key, value: text === null ? null : Buffer.from(text) }]))[0]!;

async function contents(log: SqliteLog, topic: string): Promise<string[]> {
  const records = await log.fetch({ topic, partition: 0, offset: 0n as Offset }, 1_000);
  return records.map(({ key, value }) => `${key}=${value === null ? 'null' : Buffer.from(value).toString()}`);
}

const subscription = { group: 'group', topics: ['events'], maxBatchRecords: 10, maxBatchBytes: 1_000, lingerMs: 0 };

async function nextBatch(reader: LogReader): Promise<readonly LogRecord[]> {
  for await (const batch of reader.batches(new AbortController().signal)) return batch;
  throw new Error('the reader ended');
}

describe('retention', () => {
  it('removes records that are older than the retention of their topic', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'events', 'a', 'old');
    await clock.advance(HOUR_MS);
    await append(log, 'events', 'a', 'new');
    await clock.advance(1);
    expect(await log.maintain()).toEqual({ removedRecords: 1 });
    expect(await contents(log, 'events')).toEqual(['a=new']);
    expect(await log.describe(['events'])).toMatchObject([{ earliest: 1n, next: 2n, bytes: 3 }]);
  });

  it('keeps what a dead letter points to, and removes what lies around it', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'events', 'a', '1');
    const dead = await append(log, 'events', 'a', '2');
    await append(log, 'events', 'a', '3');
    await clock.advance(HOUR_MS + 1);
    await log.maintain({ keep: [dead] });
    expect(await contents(log, 'events')).toEqual(['a=2']);
    await log.maintain();
    expect(await contents(log, 'events')).toEqual([]);
  });

  it('does not remove what a group has not read, however long its process was off', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    for (const text of ['1', '2', '3']) await append(log, 'events', 'a', text);
    const reader = log.subscribe(subscription);
    await nextBatch(reader);
    await reader.commit([{ topic: 'events', partition: 0, next: 2n as Offset }]);
    await reader[Symbol.asyncDispose]();
    await clock.advance(100 * HOUR_MS);
    await log.maintain();
    expect(await contents(log, 'events')).toEqual(['a=3']);
  });

  it('does not remove what a group has begun to read and never committed', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'events', 'a', '1');
    const reader = log.subscribe(subscription);
    await nextBatch(reader);
    await reader[Symbol.asyncDispose]();
    await clock.advance(2 * HOUR_MS);
    await log.maintain();
    expect(await contents(log, 'events')).toEqual(['a=1']);
  });

  it('no longer waits for a group that is forgotten', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'events', 'a', '1');
    const reader = log.subscribe(subscription);
    await nextBatch(reader);
    await reader[Symbol.asyncDispose]();
    await log.forgetGroup('group');
    await clock.advance(2 * HOUR_MS);
    await log.maintain();
    expect(await contents(log, 'events')).toEqual([]);
  });

  it('gives no offset twice, even when all records are gone', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'events', 'a', '1');
    await clock.advance(2 * HOUR_MS);
    await log.maintain();
    expect(await append(log, 'events', 'a', '2')).toMatchObject({ offset: 1n });
  });

  it('goes through more records than one transaction removes', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await log.append(Array.from({ length: 2_500 }, () => ({ topic: 'events', key: 'a', value: Buffer.from('x') })));
    await clock.advance(HOUR_MS + 1);
    expect(await log.maintain()).toEqual({ removedRecords: 2_500 });
    expect(await log.describe(['events'])).toMatchObject([{ earliest: 2_500n, bytes: 0 }]);
  });
});

describe('compaction', () => {
  it('keeps the newest record of every key', async () => {
    const log = await aLog();
    for (const [key, text] of ['a1', 'b1', 'a2', 'c1', 'b2'].map((both) => [both[0]!, both[1]!] as const))
      await append(log, 'state', key, text);
    await log.maintain();
    expect(await contents(log, 'state')).toEqual(['a=2', 'c=1', 'b=2']);
  });

  it('keeps a replaced record that a dead letter points to until it no longer does', async () => {
    const log = await aLog();
    const dead = await append(log, 'state', 'a', '1');
    await append(log, 'state', 'a', '2');
    await log.maintain({ keep: [dead] });
    expect(await contents(log, 'state')).toEqual(['a=1', 'a=2']);
    await log.maintain();
    expect(await contents(log, 'state')).toEqual(['a=2']);
  });

  it('keeps a tombstone for a day, then forgets the key', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'state', 'a', '1');
    await append(log, 'state', 'a', null);
    await append(log, 'state', 'b', '1');
    await log.maintain();
    expect(await contents(log, 'state')).toEqual(['a=null', 'b=1']);
    await clock.advance(24 * HOUR_MS);
    await log.maintain();
    expect(await contents(log, 'state')).toEqual(['b=1']);
    expect(await log.latest('state', ['a', 'b'])).toMatchObject([undefined, { key: 'b' }]);
  });

  it('does not remove a key that came back after its tombstone', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'state', 'a', null);
    await append(log, 'state', 'a', 'again');
    await append(log, 'state', 'b', '1');
    await clock.advance(25 * HOUR_MS);
    await log.maintain();
    expect(await contents(log, 'state')).toEqual(['a=again', 'b=1']);
  });

  it('leaves the last record, so that a group that has read everything is seen to have', async () => {
    const clock = new FakeClock();
    const log = await aLog({ clock });
    await append(log, 'state', 'a', null);
    await clock.advance(25 * HOUR_MS);
    await log.maintain();
    expect(await contents(log, 'state')).toEqual(['a=null']);
  });

  it('is not seen by a reader but for the records that are gone', async () => {
    const log = await aLog();
    for (let i = 0; i < 50; i++) await append(log, 'state', `k${i % 5}`, String(i));
    await log.maintain();
    const batch = await nextBatch(log.subscribe({ ...subscription, topics: ['state'] }));
    expect(batch.map(({ offset }) => offset)).toEqual([45n, 46n, 47n, 48n, 49n]);
  });

  it('keeps a marker of one key in every partition that it was sent to', async () => {
    const log = await aLog();
    await log.createTopics([{ name: 'wide', partitions: 2, cleanup: 'compact' }]);
    for (const text of ['old', 'new'])
      await log.append(
        [0, 1].map((partition) => ({ topic: 'wide', key: 'marker', partition, value: Buffer.from(text) })),
      );
    await log.maintain();
    const kept = await Promise.all(
      [0, 1].map((partition) => log.fetch({ topic: 'wide', partition, offset: 0n as Offset }, 9)),
    );
    expect(kept.map((records) => records.map(({ value }) => Buffer.from(value!).toString()))).toEqual([
      ['new'],
      ['new'],
    ]);
  });
});

describe('append', () => {
  it('stores all records of a call or none', async () => {
    const log = openSqliteLog({ path: aPath(), clock: new FakeClock(), maxBytes: 500_000 });
    opened.push(log);
    await log.createTopics([{ name: 'events', partitions: 2, cleanup: 'delete' }]);
    const records = Array.from({ length: 600 }, (_, i) => ({
      topic: 'events',
      key: String(i),
      value: new Uint8Array(1_000),
    }));
    await expect(log.append(records)).rejects.toBeInstanceOf(StorageFailed);
    expect((await log.describe(['events'])).map(({ next }) => next)).toEqual([0n, 0n]);
  });

  it('counts the bytes of the values of a partition', async () => {
    const log = await aLog();
    for (const text of ['1', '22', '333']) await append(log, 'events', 'a', text);
    expect(await log.describe(['events'])).toMatchObject([{ bytes: 6 }]);
  });

  it('cannot give a topic more partitions: records of one key would land in different ones', async () => {
    const log = await aLog();
    const more = log.createTopics([{ name: 'events', partitions: 2, cleanup: 'delete' }]);
    await expect(more).rejects.toBeInstanceOf(InvalidConfig);
  });
});

describe('two processes with one file', () => {
  it('wake each other', async () => {
    const path = aPath();
    const clock = new FakeClock();
    const reading = await aLog({ path, clock });
    const batch = nextBatch(reading.subscribe(subscription));
    const writing = await aLog({ path, clock });
    await append(writing, 'events', 'a', 'from there');
    await clock.advance(100);
    expect((await batch).map(({ value }) => Buffer.from(value!).toString())).toEqual(['from there']);
  });

  it('take over from a member whose lease has run out, whose commits are then refused', async () => {
    const path = aPath();
    const clock = new FakeClock();
    const stuckClock = new FakeClock();
    const stuck = await aLog({ path, clock: stuckClock });
    for (const text of ['1', '2', '3']) await append(stuck, 'events', 'a', text);
    const former = stuck.subscribe(subscription);
    await nextBatch(former);
    const other = await aLog({ path, clock });
    const taking = nextBatch(other.subscribe(subscription));
    await clock.advance(30_000);
    expect(await taking).toHaveLength(3);
    await former.commit([{ topic: 'events', partition: 0, next: 3n as Offset }]);
    expect(await other.describe(['events'])).toMatchObject([{ groups: {} }]);
  });

  it('leave a member alone that renews its lease', async () => {
    const path = aPath();
    const clock = new FakeClock();
    const log = await aLog({ path, clock });
    await append(log, 'events', 'a', '1');
    const reader = log.subscribe(subscription);
    await nextBatch(reader);
    const other = await aLog({ path, clock });
    const waiting = other.subscribe(subscription);
    const taken: unknown[] = [];
    const taking = nextBatch(waiting).then(
      (batch) => taken.push(batch),
      () => undefined,
    );
    await clock.advance(60_000);
    expect(taken).toEqual([]);
    await reader.commit([{ topic: 'events', partition: 0, next: 1n as Offset }]);
    expect(await log.describe(['events'])).toMatchObject([{ groups: { group: 1n } }]);
    await waiting[Symbol.asyncDispose]();
    await taking;
  });
});

describe('storage', () => {
  it('says what to do about a damaged file', () => {
    const path = aPath();
    writeFileSync(path, 'this is not a database'.repeat(1_000));
    expect(() => openSqliteLog({ path, clock: systemClock })).toThrow(StorageFailed);
    expect(() => openSqliteLog({ path, clock: systemClock })).toThrow(/damaged .*move the folder of the log away/);
  });

  it('does not open when pages are missing', async () => {
    const path = aPath();
    const log = await aLog({ path });
    await log.append(Array.from({ length: 500 }, () => ({ topic: 'events', key: 'a', value: new Uint8Array(1_000) })));
    await log[Symbol.asyncDispose]();
    const cut = aPath();
    copyFileSync(path, cut);
    truncateSync(cut, 100_000);
    expect(() => openSqliteLog({ path: cut, clock: systemClock })).toThrow(StorageFailed);
  });

  it('does not open when a page is overwritten', async () => {
    const path = aPath();
    const log = await aLog({ path });
    await log.append(Array.from({ length: 500 }, () => ({ topic: 'events', key: 'a', value: new Uint8Array(1_000) })));
    await log[Symbol.asyncDispose]();
    const damaged = aPath();
    const content = readFileSync(path);
    content.fill(0xab, 40 * 4_096, 44 * 4_096);
    writeFileSync(damaged, content);
    expect(() => openSqliteLog({ path: damaged, clock: systemClock })).toThrow(StorageFailed);
  });

  it('reports a full disk as something that an operator must mend, and keeps what it has', async () => {
    const log = openSqliteLog({ path: aPath(), clock: new FakeClock(), maxBytes: 500_000 });
    opened.push(log);
    await log.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }]);
    await append(log, 'events', 'a', 'first');
    const large = Array.from({ length: 600 }, () => ({ topic: 'events', key: 'b', value: new Uint8Array(1_000) }));
    await expect(log.append(large)).rejects.toBeInstanceOf(StorageFailed);
    await append(log, 'events', 'a', 'second');
    expect(await contents(log, 'events')).toEqual(['a=first', 'a=second']);
  });

  it('refuses a file of another format', async () => {
    const path = aPath();
    await (await aLog({ path }))[Symbol.asyncDispose]();
    const db = new Sqlite({ path, remedy: '', busy: (message) => new LogUnavailable(message) });
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openSqliteLog({ path, clock: systemClock })).toThrow(StorageFailed);
  });

  it('cannot be opened where there can be no folder', () => {
    const file = aPath();
    writeFileSync(file, '');
    expect(() => openSqliteLog({ path: join(file, 'log.db'), clock: systemClock })).toThrow(StorageFailed);
  });

  it('waits for another process that holds the file, and then reports that it may be tried again', async () => {
    const path = aPath();
    const clock = new FakeClock();
    const log = await aLog({ path, clock });
    const holding = new Sqlite({ path, remedy: '', busy: (message) => new LogUnavailable(message) });
    holding.exec('BEGIN IMMEDIATE');
    const outcome = append(log, 'events', 'a', '1').then(
      () => 'appended',
      (error: unknown) => error,
    );
    await clock.advance(60_000);
    expect(await outcome).toBeInstanceOf(LogUnavailable);
    holding.exec('ROLLBACK');
    holding.close();
    expect(await append(log, 'events', 'a', '2')).toMatchObject({ offset: 0n });
  });
});
