import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { StorageFailed } from '../runtime/errors.ts';
import { Sqlite } from './sqlite.ts';
import { WalFlush, type FlushedFiles } from './wal-flush.ts';

/** A disk that flushes when it is told to. */
class HeldDisk implements FlushedFiles {
  readonly opened: string[] = [];
  readonly closed: number[] = [];
  readonly flushes: { readonly end: (error?: Error) => void }[] = [];

  open(path: string): number {
    return this.opened.push(path);
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.flushes.push({ end: (error) => (error ? reject(error) : resolve()) });
    });
  }

  close(descriptor: number): void {
    this.closed.push(descriptor);
  }
}

/** Lets everything run that waits for nothing outside. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test('the log beside the database is what is flushed, and it is opened once', async () => {
  const disk = new HeldDisk();
  const flush = new WalFlush('/somewhere/index.db', disk);
  for (let i = 0; i < 2; i++) {
    const flushed = flush.flush();
    disk.flushes[i]?.end();
    await flushed;
  }
  expect(disk.opened).toEqual(['/somewhere/index.db-wal']);
});

test('calls that come while a flush is under way wait for the next one, together', async () => {
  const disk = new HeldDisk();
  const flush = new WalFlush('index.db', disk);
  const resolved: string[] = [];
  const call = (name: string): void => void flush.flush().then(() => resolved.push(name));
  call('first');
  call('second');
  call('third');
  await settled();
  expect(disk.flushes).toHaveLength(1);
  disk.flushes[0]?.end();
  await settled();
  expect(resolved).toEqual(['first']); // what the others have committed may have come after that flush
  expect(disk.flushes).toHaveLength(2);
  disk.flushes[1]?.end();
  await settled();
  expect(resolved).toEqual(['first', 'second', 'third']);
});

test('after a failure nothing counts as durable any more', async () => {
  const disk = new HeldDisk();
  const flush = new WalFlush('index.db', disk);
  const first = flush.flush();
  const waiting = flush.flush();
  disk.flushes[0]?.end(new Error('EIO'));
  await expect(first).rejects.toThrow('EIO');
  await expect(waiting).rejects.toThrow('EIO');
  await expect(flush.flush()).rejects.toThrow('EIO');
  expect(disk.flushes).toHaveLength(1);
});

test('a file is not closed under a flush', async () => {
  const disk = new HeldDisk();
  const flush = new WalFlush('index.db', disk);
  const flushed = flush.flush();
  const waiting = flush.flush();
  flush.close();
  expect(disk.closed).toEqual([]);
  disk.flushes[0]?.end();
  await flushed;
  await waiting; // the database was checkpointed before
  expect(disk.closed).toEqual([1]);
});

test('a database whose disk fails says so as a failure that an operator must mend', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-wal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'one.db');
  const options = { path, remedy: '', busy: (message: string) => new StorageFailed(message) };
  const db = new Sqlite(options, new WalFlush(join(folder, 'not-there.db')));
  db.transaction(() => db.exec('CREATE TABLE t (a)'));
  await expect(db.durable()).rejects.toThrow(StorageFailed);
  db.close();
});

test('what is committed can be flushed, also after a checkpoint has emptied the log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-wal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'one.db');
  const db = new Sqlite({ path, remedy: '', busy: (message: string) => new StorageFailed(message) });
  db.transaction(() => db.exec('CREATE TABLE t (a)'));
  await db.durable();
  expect(db.checkpoint()).toBe(true);
  db.transaction(() => db.exec('INSERT INTO t VALUES (1)'));
  await db.durable();
  db.close();
});
