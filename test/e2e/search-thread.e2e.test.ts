import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { aReplace, aScope, aVector, anId, DIMENSIONS } from '../../ports/document-store/document-fixtures.ts';
import { documentStoreConformance } from '../../ports/document-store/document-store.conformance.ts';
import type * as Source from '../../ports/document-store/sqlite-document-store.ts';
import { systemClock } from '../../runtime/clock.ts';

/*
 * Only the compiled program searches in a thread of its own (Node.js 20 runs no TypeScript there), so the whole suite of the index runs
 * on it once more.
 */
const compiled = new URL('../../dist/ports/document-store/sqlite-document-store.js', import.meta.url);
const { openSqliteDocumentStore } = (await import(compiled.href)) as typeof Source;

const folder = mkdtempSync(join(tmpdir(), 'freshet-search-thread-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const open = (): Source.SqliteDocumentStore =>
  openSqliteDocumentStore({ path: join(folder, `${files++}.db`), dimensions: DIMENSIONS, clock: systemClock });

documentStoreConformance('sqlite, searched in a thread', async () => open());

describe('the thread that searches', () => {
  const query = { scope: aScope(), lexical: { text: 'passage', depth: 10 }, dense: { vector: aVector(0), depth: 10 } };

  it('answers many questions at once, each with its own reply', async () => {
    await using store = open();
    await store.write(Array.from({ length: 20 }, (_, n) => aReplace({ id: anId(String(n)), passages: [`word${n}`] })));
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        store.search({ scope: aScope(), lexical: { text: `word${n}`, depth: 5 } }).then(({ lexical }) => lexical),
      ),
    );
    expect(replies.map((hits) => hits.map(({ source }) => source.key))).toEqual(
      Array.from({ length: 20 }, (_, n) => [String(n)]),
    );
  });

  it('answers a question on its way before the index is closed, and none after it', async () => {
    const store = open();
    await store.write([aReplace()]);
    const onItsWay = store.search(query);
    await store[Symbol.asyncDispose]();
    expect((await onItsWay).dense).toHaveLength(1);
    await expect(store.search(query)).rejects.toMatchObject({ code: 'FRESHET_STORE_UNAVAILABLE' });
  });
});
