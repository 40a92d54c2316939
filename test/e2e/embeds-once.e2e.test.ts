import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDocumentId } from '../../schemas/ids.ts';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { postgresSource, startProduct, type Product } from '../support/product.ts';

const WORDS = 'amber basil cedar delta ember fjord grove heath islet jetty knoll larch mango nacre ochre petal'.split(
  ' ',
);

/** A sentence that no other number gives. */
function sentence(n: number): string {
  const words = Array.from({ length: 10 }, (_, at) => WORDS[(n * 7 + at * 3 + (n >> at)) % WORDS.length]);
  return `Number ${n} of the manual says ${words.join(' ')}.`;
}

/** Several hundred passages: every paragraph is about as long as a passage may be. */
function longText(paragraphs: number): string {
  const paragraph = (p: number) => Array.from({ length: 12 }, (_, at) => sentence(p * 12 + at)).join(' ');
  return Array.from({ length: paragraphs }, (_, p) => paragraph(p)).join('\n\n');
}

const TABLE = {
  table: 'public.articles',
  title: 'title',
  body: 'body',
  tenant: { value: 'default' },
  acl: { column: 'groups' },
  metadata: ['category'],
};

describe.each([{ partitions: 1 }, { partitions: 3 }])('with $partitions partitions', (log) => {
  let database: TestDatabase;
  let product: Product;
  /** Texts that the model computes while `work` takes effect. */
  const computedBy = async (work: () => Promise<unknown>): Promise<number> => {
    const before = await product.computedTexts();
    await work();
    await product.caughtUp(database);
    return (await product.computedTexts()) - before;
  };

  beforeEach(async () => {
    database = await testDatabase();
    await database.sql(`CREATE TABLE articles (id int PRIMARY KEY, title text, body text, category text, groups text[], seen int);
      CREATE TABLE other (id int PRIMARY KEY, body text)`);
    await database.sql(`INSERT INTO articles VALUES (1, 'Manual', $1, 'a', '{all}', 0)`, [longText(240)]);
    product = await startProduct({ sources: [postgresSource(database, [TABLE])], log });
    await product.caughtUp(database);
  });
  afterEach(async () => {
    await product[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  const members = { groups: ['all'] };
  const passages = async (id: string) => (await product.document(id, members)).body.passages.length;

  test('the edit of one sentence in a document of over 200 passages computes at most three', async () => {
    expect(await passages('helpdesk/public.articles/1')).toBeGreaterThanOrEqual(200);
    expect(await product.computedTexts()).toBe(await passages('helpdesk/public.articles/1'));
    const edit = sentence(1_500).replace('says', 'tells us with quite a few words more than there were before');
    const computed = await computedBy(() =>
      database.sql('UPDATE articles SET body = replace(body, $1, $2)', [sentence(1_500), edit]),
    );
    expect(computed).toBeGreaterThan(0);
    expect(computed).toBeLessThanOrEqual(3);
    expect((await product.document('helpdesk/public.articles/1', members)).body.text).toContain(edit);
  });

  test('what does not change the text computes nothing', async () => {
    expect(await computedBy(() => database.sql('UPDATE articles SET seen = seen + 1'))).toBe(0);
    expect(await computedBy(() => database.sql(`UPDATE articles SET category = 'b'`))).toBe(0);
    const { body } = await product.document('helpdesk/public.articles/1', members);
    expect(body.metadata).toEqual({ category: 'b' });
    expect(await computedBy(() => database.sql(`UPDATE articles SET groups = '{staff}'`))).toBe(0);
    expect((await product.document('helpdesk/public.articles/1', members)).status).toBe(404);
    expect((await product.document('helpdesk/public.articles/1', { groups: ['staff'] })).status).toBe(200);
    expect(await computedBy(() => database.sql(`INSERT INTO other VALUES (1, 'not captured')`))).toBe(0);
  });

  test('a rename computes nothing and leaves the whole text under the new id alone', async () => {
    const before = (await product.document('helpdesk/public.articles/1', members)).body;
    expect(await computedBy(() => database.sql('UPDATE articles SET id = 2'))).toBe(0);
    expect((await product.document('helpdesk/public.articles/1', members)).status).toBe(404);
    const after = (await product.document('helpdesk/public.articles/2', members)).body;
    expect(after.text === before.text).toBe(true); // a diff of texts this long is of no use
    expect(after.passages.every(({ hasVector }) => hasVector)).toBe(true);
  });

  test('a second document of the same title and text computes nothing', async () => {
    const copy = `INSERT INTO articles SELECT 2, title, body, category, groups, seen FROM articles`;
    expect(await computedBy(() => database.sql(copy))).toBe(0);
    expect(await passages('helpdesk/public.articles/2')).toBeGreaterThanOrEqual(200);
  });

  test('a deleted document that comes back within the life of the cache computes nothing', async () => {
    const [row] = await database.sql<{ body: string }>('SELECT body FROM articles');
    expect(await computedBy(() => database.sql('DELETE FROM articles'))).toBe(0);
    const insert = `INSERT INTO articles VALUES (1, 'Manual', $1, 'a', '{all}', 0)`;
    expect(await computedBy(() => database.sql(insert, [row?.body]))).toBe(0);
  });

  test('seven per cent of duplicated and reordered deliveries compute nothing and change nothing', async () => {
    await database.sql(
      `INSERT INTO articles SELECT n, 'Note ' || n, 'The note ' || md5(n::text), 'a', '{all}', 0 FROM generate_series(100, 199) n`,
    );
    await database.sql(`UPDATE articles SET body = body || ' was edited' WHERE id BETWEEN 100 AND 149`);
    await product.caughtUp(database);
    const topic = 'helpdesk.public.articles';
    const records = (await product.records(topic)).filter(({ key }) => parseDocumentId(key)?.table !== undefined);
    const repeated = records.filter((_, index) => index % 14 === 0).toReversed();
    const versions = async () =>
      Promise.all([100, 128, 199].map((id) => product.document(`helpdesk/${topic.slice(9)}/${id}`, members)));
    const before = (await versions()).map(({ body }) => [body.version, body.text]);
    const computed = await computedBy(() =>
      product.append(repeated.map(({ key, value, headers, partition }) => ({ topic, key, value, headers, partition }))),
    );
    expect(repeated.length / records.length).toBeGreaterThan(0.07);
    expect(computed).toBe(0);
    expect((await versions()).map(({ body }) => [body.version, body.text])).toEqual(before);
  });

  test('a restart computes nothing that the index holds', async () => {
    await product.restart();
    await database.sql(`UPDATE articles SET category = 'after'`);
    await product.caughtUp(database);
    expect(await product.computedTexts()).toBe(0);
  });
});
