import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { positionOf, postgresSource, startProduct, type Product } from '../support/product.ts';

// The real model, because it is slow enough that its vectors come visibly later than the words.
const ROWS = 40;
const TEXT = `'deferred ' || i || ' ' || (SELECT string_agg('word' || (i * 97 + j), ' ') FROM generate_series(1, 30) j)`;

let database: TestDatabase;
let product: Product;

beforeEach(async () => {
  database = await testDatabase();
  await database.sql('CREATE TABLE articles (id int PRIMARY KEY, body text)');
  product = await startProduct({
    sources: [postgresSource(database, [{ table: 'public.articles', body: 'body' }])],
    pipeline: { embed: { inlineBudgetMs: 0 } },
    embedder: { kind: 'onnx' },
  });
  await product.caughtUp(database);
});
afterEach(async () => {
  await product[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const coverage = async () => (await product.search('any')).body.coverage.dense;

test('a document is found by its words at once, counts as not covered, and complete waits for its vectors', async () => {
  await database.sql(`INSERT INTO articles SELECT i, ${TEXT} FROM generate_series(1, ${ROWS}) i`);
  const after = { helpdesk: await positionOf(database) };
  const first = await product.search('deferred', { mode: 'lexical', k: 100, after, waitMs: 30_000 });
  expect(first.body.results).toHaveLength(ROWS);
  expect(first.body.coverage.dense).toBeLessThan(1);
  const early = await product.search('deferred', { after, waitFor: 'complete', waitMs: 0 });
  expect([early.status, (early.body as { code?: unknown }).code]).toEqual([503, 'FRESHET_NOT_FRESH_YET']);
  const { status, body } = await product.search('deferred', {
    mode: 'dense',
    after,
    waitFor: 'complete',
    waitMs: 60_000,
  });
  expect([status, body.coverage.dense]).toEqual([200, 1]);
  expect(body.results).toHaveLength(8);
  expect(await product.computedTexts()).toBe(ROWS);
});

test('vectors that were asked for before a restart follow after it, and none twice', async () => {
  await database.sql(`INSERT INTO articles SELECT i, ${TEXT} FROM generate_series(1, ${ROWS}) i`);
  await product.search('deferred', { after: { helpdesk: await positionOf(database) }, waitMs: 30_000 });
  expect(await coverage()).toBeLessThan(1);
  await product.restart();
  await product.caughtUp(database);
  expect(await coverage()).toBe(1);
  expect(await product.computedTexts()).toBeLessThanOrEqual(ROWS);
});

test('a change or a delete that overtakes the vectors leaves none behind', async () => {
  await database.sql(`INSERT INTO articles SELECT i, ${TEXT} FROM generate_series(1, ${ROWS}) i`);
  await database.sql(`UPDATE articles SET body = 'changed ' || id WHERE id <= 20; DELETE FROM articles WHERE id > 30`);
  await product.caughtUp(database);
  expect(await coverage()).toBe(1);
  expect(await product.found('deferred', { mode: 'lexical', k: 100 })).toHaveLength(10);
  expect(await product.found('changed', { mode: 'dense', k: 100 })).toHaveLength(30);
});
