import type * as fs from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { eventLoopTurn, systemClock } from '../runtime/clock.ts';
import { aReplace, aScope, DIMENSIONS, visible } from './document-store/document-fixtures.ts';
import { openSqliteDocumentStore } from './document-store/sqlite-document-store.ts';
import type { Offset } from './log/log.ts';
import { openSqliteLog } from './log/sqlite-log.ts';

/** While it is held the disk finishes no flush. */
const disk = vi.hoisted(() => ({ isHeld: false, waiting: [] as (() => void)[] }));

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  const fdatasync = (descriptor: number, done: (error: NodeJS.ErrnoException | null) => void): void => {
    if (disk.isHeld) disk.waiting.push(() => original.fdatasync(descriptor, done));
    else original.fdatasync(descriptor, done);
  };
  return { ...original, fdatasync };
});

const folder = mkdtempSync(join(tmpdir(), 'freshet-durable-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether a promise has resolved once everything that does not wait for the disk has run. */
async function isResolved(promise: Promise<unknown>): Promise<boolean> {
  let resolved = false;
  void promise.then(() => (resolved = true));
  for (let i = 0; i < 20; i++) await eventLoopTurn();
  return resolved;
}

function release(): void {
  disk.isHeld = false;
  for (const flush of disk.waiting.splice(0)) flush();
}

test('a record is read at once, and its append resolves when it is on the disk', async () => {
  await using log = openSqliteLog({ path: join(folder, 'log.db'), clock: systemClock });
  await log.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }]);
  disk.isHeld = true;
  const appends = ['a', 'b'].map((key) => log.append([{ topic: 'events', key, value: Buffer.from(key) }]));
  expect(await isResolved(Promise.race(appends))).toBe(false);
  const records = await log.fetch({ topic: 'events', partition: 0, offset: 0n as Offset }, 10);
  expect(records.map(({ key }) => key)).toEqual(['a', 'b']);
  release();
  expect((await Promise.all(appends)).flat().map(({ offset }) => offset)).toEqual([0n, 1n]);
});

test('the log waits for the disk before it closes', async () => {
  const log = openSqliteLog({ path: join(folder, 'closing.db'), clock: systemClock });
  await log.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }]);
  disk.isHeld = true;
  const append = log.append([{ topic: 'events', key: 'a', value: null }]);
  const closing = log[Symbol.asyncDispose]();
  expect(await isResolved(closing)).toBe(false);
  release();
  await append;
  await closing;
});

test('a document is found at once, and its write resolves when it is on the disk', async () => {
  await using store = openSqliteDocumentStore({
    path: join(folder, 'index.db'),
    dimensions: DIMENSIONS,
    clock: systemClock,
  });
  disk.isHeld = true;
  const written = store.write([aReplace()]);
  expect(await isResolved(written)).toBe(false);
  expect(await visible(store, aScope())).toEqual(['1']);
  release();
  expect(await written).toEqual([{ kind: 'applied' }]);
});
