import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { postgresSource, startProduct, type Product } from '../support/product.ts';

/** Does not compress, hence is stored out of line. */
const BIG = `(SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 400) i)`;

describe.each([{ partitions: 1 }, { partitions: 3 }, { partitions: 4 }])('with $partitions partitions', (log) => {
  let database: TestDatabase;
  let product: Product;

  beforeEach(async () => {
    database = await testDatabase();
    await database.sql(`CREATE TABLE docs (id int PRIMARY KEY, title text, body text, n int);
      CREATE TABLE odd (k text, part int, body text, PRIMARY KEY (k, part))`);
    product = await startProduct({
      sources: [
        postgresSource(database, [
          { table: 'public.docs', title: 'title', body: 'body', metadata: ['n'] },
          { table: 'public.odd', body: 'body' },
        ]),
      ],
      log,
    });
    await product.caughtUp(database);
  });
  afterEach(async () => {
    await product[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  const doc = (id: number) => `helpdesk/public.docs/${id}`;

  /** Title, metadata and whole text of every row, by the index and by the table. */
  async function expectTable(highestId: number): Promise<void> {
    await product.caughtUp(database);
    const rows = await database.sql<{ id: number; title: string; body: string; n: number }>('SELECT * FROM docs');
    const expected = new Map(rows.map(({ id, title, body, n }) => [id, `${n} ${title} ${body.length} ${hash(body)}`]));
    const indexed = new Map<number, string>();
    for (let id = 0; id <= highestId; id++) {
      const { status, body } = await product.document(doc(id));
      if (status !== 200) continue;
      indexed.set(id, `${String(body.metadata['n'])} ${body.title} ${body.text.length} ${hash(body.text)}`);
    }
    expect(indexed).toEqual(new Map([...expected].toSorted(([a], [b]) => a - b)));
    expect(await product.failures()).toEqual([]);
  }

  /** Short, because a diff of whole texts is of no use. */
  function hash(text: string): string {
    return createHash('sha256').update(text).digest('hex').slice(0, 16);
  }

  test('an update of another column leaves a TOASTed body as it is', async () => {
    await database.sql(`INSERT INTO docs SELECT i, 'one', i || ${BIG}, 1 FROM generate_series(1, 8) i`);
    await product.caughtUp(database);
    await database.sql(`UPDATE docs SET n = 2; UPDATE docs SET title = 'two', n = 3 WHERE id > 4`);
    await expectTable(9);
    expect((await product.search('unavailable value')).body.results.map(({ text }) => text)).not.toContain(
      expect.stringContaining('unavailable'),
    );
  });

  test('a rename moves a TOASTed body, and nothing of the former id is left on any path', async () => {
    await database.sql(`INSERT INTO docs SELECT i, 'title ' || i, i || ${BIG}, 1 FROM generate_series(1, 8) i`);
    await product.caughtUp(database);
    await database.sql('UPDATE docs SET id = id + 100; UPDATE docs SET n = 2');
    await expectTable(110);
    expect((await product.found('title')).toSorted()).toEqual([101, 102, 103, 104, 105, 106, 107, 108].map(doc));
  });

  test('a chain of renames within a transaction, with other changes between, ends in one document', async () => {
    await database.sql(`INSERT INTO docs SELECT 1, 'chain', ${BIG}, 1`);
    await product.caughtUp(database);
    await database.sql(`BEGIN; UPDATE docs SET id = 2 WHERE id = 1; UPDATE docs SET n = 2 WHERE id = 2;
      UPDATE docs SET id = 3 WHERE id = 2; UPDATE docs SET title = 'end' WHERE id = 3; COMMIT`);
    await expectTable(4);
    await database.sql('UPDATE docs SET id = 4; UPDATE docs SET id = 1');
    await expectTable(5);
  });

  test('two rows that swap their keys swap their texts', async () => {
    await database.sql(`INSERT INTO docs SELECT i, 'title ' || i, i || ${BIG}, i FROM generate_series(1, 2) i`);
    await product.caughtUp(database);
    await database.sql(`BEGIN; UPDATE docs SET id = 9 WHERE id = 1; UPDATE docs SET id = 1 WHERE id = 2;
      UPDATE docs SET id = 2 WHERE id = 9; COMMIT`);
    await expectTable(10);
    expect((await product.document(doc(1))).body.title).toBe('title 2');
  });

  test('a key that is taken again at once belongs to the new row', async () => {
    await database.sql(`INSERT INTO docs SELECT i, 'title ' || i, i || ${BIG}, i FROM generate_series(1, 4) i`);
    await product.caughtUp(database);
    await database.sql(`BEGIN; UPDATE docs SET id = 5 WHERE id = 1; INSERT INTO docs VALUES (1, 'new', 'new text', 0); COMMIT;
      DELETE FROM docs WHERE id = 2; INSERT INTO docs VALUES (2, 'again', 'other text', 0);
      DELETE FROM docs WHERE id = 3; UPDATE docs SET id = 3 WHERE id = 4`);
    await expectTable(6);
  });

  test('rows that are written right after a TRUNCATE stay, and all others are gone', async () => {
    await database.sql(`INSERT INTO docs SELECT i, 'old', 'old text ' || i, 1 FROM generate_series(1, 20) i;
      INSERT INTO odd VALUES ('stays', 1, 'other table')`);
    await product.caughtUp(database);
    await database.sql(`TRUNCATE docs; INSERT INTO docs VALUES (1, 'new', 'new text', 2)`);
    await expectTable(21);
    await database.sql(`BEGIN; INSERT INTO docs VALUES (2, 'gone', 'x', 1); TRUNCATE docs; INSERT INTO docs VALUES (3, 'kept', 'y', 1);
      COMMIT`);
    await expectTable(21);
    expect(await product.found('old', { mode: 'lexical' })).toEqual([]);
    expect(await product.found('table', { mode: 'lexical' })).toEqual(['helpdesk/public.odd/stays,1']);
  });

  test('composite and text keys make the ids of the contract, and none collide', async () => {
    const keys = ['a/b', 'a%2Fb', 'a,b', 'a.b:c', 'line\nbreak', '😀', '', ' ', '#1', 'ü', '__proto__'];
    for (const key of keys) await database.sql('INSERT INTO odd VALUES ($1, 7, $2)', [key, `keyed text`]);
    await product.caughtUp(database);
    const ids = keys.map((key) => `helpdesk/public.odd/${encodeURIComponent(key)},7`);
    expect((await product.found('keyed')).toSorted()).toEqual(ids.toSorted());
    for (const [index, id] of ids.entries()) {
      const { body } = await product.document(id);
      expect(body).toMatchObject({ documentId: id, text: 'keyed text' });
      expect(body.source).toMatchObject({ name: 'helpdesk', table: 'public.odd' });
      await database.sql('UPDATE odd SET body = $2 WHERE k = $1', [keys[index], `edited ${index}`]);
    }
    await database.sql(`DELETE FROM odd WHERE k = '#1'`);
    await product.caughtUp(database);
    for (const [index, id] of ids.entries()) {
      const { status, body } = await product.document(id);
      expect([status, body.text]).toEqual(keys[index] === '#1' ? [404, undefined] : [200, `edited ${index}`]);
    }
    const { body } = await product.search('edited', { k: 1 });
    expect(body.results[0]?.passageId).toBe(`${body.results[0]?.documentId}#0`);
  });
});
