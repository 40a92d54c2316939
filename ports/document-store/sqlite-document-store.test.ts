import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { StorageFailed, StoreUnavailable } from '../../runtime/errors.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Sqlite } from '../sqlite.ts';
import { aRemove, aRemoveBelow, aReplace, aScope, anAdvance, anId, DIMENSIONS, visible } from './document-fixtures.ts';
import { documentStoreConformance } from './document-store.conformance.ts';
import { openSqliteDocumentStore, type SqliteDocumentStore } from './sqlite-document-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'freshet-index-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const aPath = (): string => join(folder, `${files++}.db`);
const open = (path: string, dimensions = DIMENSIONS): SqliteDocumentStore =>
  openSqliteDocumentStore({ path, dimensions, clock: systemClock });

documentStoreConformance('sqlite, in memory', async () => open(':memory:'));

/** The file as it is on disk at this moment, as a killed process leaves it. */
function copyAsAfterKill(path: string): string {
  const copy = aPath();
  copyFileSync(path, copy);
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
  return copy;
}

describe('a crash', () => {
  it('loses no write that has resolved, and no count or position', async () => {
    const path = aPath();
    await using store = open(path);
    await store.write([aReplace({ id: anId('a') }), aReplace({ id: anId('b') }), aRemove(anId('b')), anAdvance('0/7')]);
    await using again = open(copyAsAfterKill(path));
    expect(await visible(again, aScope())).toEqual(['a']);
    expect(await again.progress()).toEqual(await store.progress());
    expect(await again.write([aReplace({ id: anId('b'), version: 1n })])).toEqual([{ kind: 'stale', version: 2n }]);
  });

  it('between a range tombstone and its removals is made up for when the write is repeated', async () => {
    const path = aPath();
    {
      await using store = open(path);
      await store.write([aReplace({ id: anId('a'), version: 5n })]);
    }
    const db = new Sqlite({ path, remedy: '', busy: (message) => new StoreUnavailable(message) });
    db.exec(`INSERT INTO floors VALUES ('helpdesk', 'public.articles', 10)`);
    db.close();
    await using again = open(path);
    expect(await again.write([aRemoveBelow(10n)])).toEqual([{ kind: 'applied' }]);
    expect(await visible(again, aScope())).toEqual([]);
  });
});

describe('a closed index', () => {
  it('holds nothing of a removed text, in any file', async () => {
    const path = aPath();
    {
      await using store = open(path);
      const passages = ['the word xylocanary stands here'];
      const secret = aReplace({ title: 'xylocanary', passages, metadata: { name: 'xylocanary' }, acl: ['xylocanary'] });
      await store.write([secret, aReplace({ id: anId('2') })]);
      await store.write([aRemove()]);
      await store.expunge();
    }
    for (const file of [path, `${path}-wal`])
      if (existsSync(file)) expect(readFileSync(file).includes('xylocanar')).toBe(false);
  });
});

describe('storage', () => {
  it('says what to do about a damaged file', async () => {
    const path = aPath();
    writeFileSync(path, 'this is not a database'.repeat(1_000));
    expect(() => open(path)).toThrow(StorageFailed);
    expect(() => open(path)).toThrow(/delete the folder of the index/);
  });

  it('refuses vectors of another size than the file was made for', async () => {
    const path = aPath();
    await open(path)[Symbol.asyncDispose]();
    expect(() => open(path, 8)).toThrow(StorageFailed);
    expect(() => open(path, 8)).toThrow(/4 dimensions, the model makes 8/);
  });

  it('reports a full disk as something that an operator must mend, and serves what it has', async () => {
    const options = { path: aPath(), dimensions: DIMENSIONS, clock: systemClock, maxBytes: 1_000_000 };
    await using store = openSqliteDocumentStore(options);
    await store.write([aReplace({ id: anId('a') })]);
    const large = Array.from({ length: 400 }, (_, i) =>
      aReplace({ id: anId(`b${i}`), passages: ['passage '.repeat(500)] }),
    );
    await expect(store.write(large)).rejects.toBeInstanceOf(StorageFailed);
    expect(await visible(store, aScope())).toContain('a');
  });

  it('waits for another process that holds the file, and then reports that it may be tried again', async () => {
    const path = aPath();
    const clock = new FakeClock();
    await using store = openSqliteDocumentStore({ path, dimensions: DIMENSIONS, clock });
    const holding = new Sqlite({ path, remedy: '', busy: (message) => new StoreUnavailable(message) });
    holding.exec('BEGIN IMMEDIATE');
    const outcome = store.write([aReplace()]).catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(await outcome).toBeInstanceOf(StoreUnavailable);
    holding.exec('ROLLBACK');
    holding.close();
    expect(await store.write([aReplace()])).toEqual([{ kind: 'applied' }]);
  });
});

describe('the segments of the full-text index', () => {
  /** How many there are. */
  function segments(path: string): number {
    const db = new Sqlite({ path, remedy: '', busy: (message) => new StoreUnavailable(message) });
    const row = db.prepare<{ count: bigint }>('SELECT count(DISTINCT segid) AS count FROM words_idx').get();
    db.close();
    return Number(row?.count ?? 0n);
  }

  async function writeOneByOne(store: SqliteDocumentStore, count: number): Promise<void> {
    for (let n = 0; n < count; n++)
      await store.write([aReplace({ id: anId(String(n)), passages: [`passage ${n} ${'word '.repeat(n % 9)}`] })]);
  }

  it('stay few, though every write adds one', async () => {
    const path = aPath();
    await using store = open(path);
    await writeOneByOne(store, 380);
    expect(segments(path)).toBeLessThan(40);
    const { lexical } = await store.search({ scope: aScope(), lexical: { text: '379', depth: 10 } });
    expect(lexical.map(({ source }) => source.key)).toEqual(['379']);
  });

  it('are merged by us in a file of an earlier format as well', async () => {
    const path = aPath();
    await open(path)[Symbol.asyncDispose]();
    const before = new Sqlite({ path, remedy: '', busy: (message) => new StoreUnavailable(message) });
    before.exec(`INSERT INTO words (words, rank) VALUES ('automerge', 8); PRAGMA user_version = 2;`);
    before.close();
    await using store = open(path);
    await writeOneByOne(store, 10);
    const db = new Sqlite({ path, remedy: '', busy: (message) => new StoreUnavailable(message) });
    expect(db.prepare(`SELECT v FROM words_config WHERE k = 'automerge'`).get()).toEqual({ v: 0n });
    db.close();
  });
});
