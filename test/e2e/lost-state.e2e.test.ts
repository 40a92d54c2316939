import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { postgresSource, startProduct, type Product } from '../support/product.ts';

let database: TestDatabase;
let product: Product;

beforeEach(async () => {
  database = await testDatabase();
  await database.sql(`CREATE TABLE articles (id int PRIMARY KEY, body text);
    INSERT INTO articles VALUES (1, 'river one'), (2, 'river two'), (3, 'river three')`);
  product = await startProduct({ sources: [postgresSource(database, [{ table: 'public.articles', body: 'body' }])] });
  await database.sql(`UPDATE articles SET body = 'river changed' WHERE id = 1`);
  await product.caughtUp(database);
});
afterEach(async () => {
  await product[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const texts = async () => {
  const { body } = await product.search('river', { k: 50 });
  return body.results.map(({ text }) => text).sort();
};

/** Stops the product, removes a folder of its state, changes the source meanwhile, and starts it again. */
async function lose(folder: 'index' | 'log'): Promise<void> {
  const { dataDir } = product.config;
  await product.stop();
  await rm(join(dataDir, folder), { recursive: true, force: true });
  await database.sql(`DELETE FROM articles WHERE id = 2; UPDATE articles SET body = 'river new' WHERE id = 3`);
  await product.restart();
  await product.caughtUp(database);
}

test('an index that is gone is filled again from the log', async () => {
  await lose('index');
  expect(await texts()).toEqual(['river changed', 'river new']);
});

test('after the loss of the log the source is read again, above everything that the index holds', async () => {
  await lose('log');
  expect(await texts()).toEqual(['river changed', 'river new']);
});
