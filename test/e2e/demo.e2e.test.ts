import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Journey } from '../../cli/demo/trace-change.ts';
import { startDemo, type RunningDemo } from '../support/demo.ts';
import { testDatabase } from '../support/postgres.ts';
import { postgresSource, startProduct } from '../support/product.ts';

interface Changed {
  readonly row: { readonly id: number; readonly title: string; readonly body: string };
  readonly documentId: string;
  readonly journey: Journey;
}

let demo: RunningDemo;
beforeAll(async () => {
  demo = await startDemo();
});
afterAll(() => demo[Symbol.asyncDispose]());

async function send<T>(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
  const sent = body && { body: JSON.stringify(body) };
  const type = body && { 'content-type': 'application/json' };
  const reply = await fetch(demo.address + path, { method, headers: { ...type, ...headers }, ...sent });
  return { status: reply.status, value: (await reply.json()) as T };
}

const foundBy = async (query: string): Promise<string | undefined> => {
  const body = { query, k: 1, mode: 'lexical' };
  const { value } = await send<{ results: { documentId: string }[] }>('POST', '/v1/search', body);
  return value.results[0]?.documentId;
};

test('a row that a visitor changes is searched as soon as the reply is there, and its stations come in their order', async () => {
  const added = await send<Changed>('POST', '/demo/rows', { title: 'Tandems', body: 'A quokka rides the tandem.' });
  expect(added.status).toBe(200);
  const { row, documentId, journey } = added.value;
  expect(await foundBy('quokka')).toBe(documentId);
  const { committedAt, loggedAt, preparedAt, indexedAt, searchableAt } = journey;
  const times = [committedAt, loggedAt, preparedAt, indexedAt, searchableAt].map(Number);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const changed = await send<Changed>('PUT', `/demo/rows/${row.id}`, { title: row.title, body: 'A numbat rides it.' });
  expect([await foundBy('numbat'), await foundBy('quokka')]).toEqual([documentId, undefined]);
  expect(changed.value.journey.committedAt).toBeGreaterThan(Number(committedAt));
  await send('DELETE', `/demo/rows/${row.id}`);
  expect(await foundBy('numbat')).toBeUndefined();
  const rows = await send<{ rows: readonly object[] }>('GET', '/demo/rows');
  expect(rows.value.rows).not.toContainEqual(expect.objectContaining({ id: row.id }));
});

test('a row that is gone, an empty one and a foreign page are refused', async () => {
  const row = { title: 'a', body: 'b' };
  expect((await send('PUT', '/demo/rows/999999', row)).status).toBe(404);
  expect((await send('DELETE', '/demo/rows/999999')).status).toBe(404);
  expect((await send('POST', '/demo/rows', { title: '', body: 'b' })).status).toBe(400);
  expect((await send('POST', '/demo/rows', row, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
});

test('only the demo has these routes', async () => {
  await using database = await testDatabase();
  await database.sql('CREATE TABLE pages (id int PRIMARY KEY, body text)');
  await using product = await startProduct({
    sources: [postgresSource(database, [{ table: 'public.pages', body: 'body' }])],
  });
  expect((await product.request('GET', '/demo/rows')).status).toBe(404);
  expect(await (await fetch(`${product.address()}/`)).text()).not.toContain('data-demo');
});
