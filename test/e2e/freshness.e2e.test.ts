import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareLsn } from '../support/lsn-order.ts';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { positionOf, postgresSource, startProduct, type Product } from '../support/product.ts';

const MODES = ['hybrid', 'lexical', 'dense'] as const;
const DOC = 'helpdesk/public.articles/';

let database: TestDatabase;
let product: Product;

beforeEach(async () => {
  database = await testDatabase();
  await database.sql(
    'CREATE TABLE articles (id int PRIMARY KEY, body text); CREATE TABLE busy (id int PRIMARY KEY, n int)',
  );
  product = await startProduct({
    sources: [postgresSource(database, [{ table: 'public.articles', body: 'body' }], { heartbeatMs: 500 })],
    log: { partitions: 2 },
  });
});
afterEach(async () => {
  await product[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test('a search with the position after a commit sees that commit, fifty times in a row', async () => {
  for (let n = 1; n <= 50; n++) {
    await database.sql(`INSERT INTO articles VALUES (${n}, 'penguin number ${n}')`);
    const after = { helpdesk: await positionOf(database) };
    expect(await product.found(`${n}`, { mode: 'lexical', after })).toContain(DOC + n);
    await database.sql(`UPDATE articles SET body = 'walrus number ${n}' WHERE id = ${n}`);
    const later = { helpdesk: await positionOf(database) };
    const { body } = await product.search('number', { k: 100, mode: 'lexical', after: later });
    const own = body.results.filter(({ documentId }) => documentId === DOC + n);
    expect(own.map(({ text }) => text)).toEqual([`walrus number ${n}`]);
    await database.sql(`DELETE FROM articles WHERE id = ${n} AND id % 2 = 0`);
  }
});

test('an idle captured table is current while another table is written', async () => {
  await database.sql(`INSERT INTO articles VALUES (1, 'idle text')`);
  await product.caughtUp(database);
  for (let n = 0; n < 10; n++) {
    await database.sql(`INSERT INTO busy SELECT ${n} * 100 + i, i FROM generate_series(1, 100) i`);
    const after = { helpdesk: await positionOf(database) };
    const { status, body } = await product.search('idle', { after, waitMs: 10_000 });
    expect([status, body.results.length]).toEqual([200, 1]);
  }
});

test('a position of a transaction that rolled back, or of one that is still open, is reached', async () => {
  await product.caughtUp(database); // a slot cannot be created while a transaction is open
  await database.sql(`BEGIN; INSERT INTO articles VALUES (1, 'never'); ROLLBACK`);
  const writer = await database.connect();
  await writer.query(`BEGIN; INSERT INTO articles VALUES (2, 'not yet')`);
  const after = { helpdesk: await positionOf(database) };
  const { status, body } = await product.search('never yet', { after, waitFor: 'complete', waitMs: 30_000 });
  expect([status, body.results]).toEqual([200, []]);
  await writer.query('COMMIT');
  expect(await product.found('yet', { after: { helpdesk: await positionOf(database) } })).toEqual([`${DOC}2`]);
});

test('a position that is not reached in time is 503 with a code and Retry-After, on search and answer', async () => {
  const after = { helpdesk: 'FFFF/0' };
  for (const reply of [
    await product.search('x', { after, waitMs: 50 }),
    await product.answer('x', { after, waitMs: 0 }),
  ]) {
    expect(reply.status).toBe(503);
    expect(reply.body).toMatchObject({ code: 'FRESHET_NOT_FRESH_YET', status: 503 });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
  }
});

test('a position of the wrong form or of no source is 400, by pointer', async () => {
  const { status, body } = await product.request('POST', '/v1/search', {
    query: 'x',
    after: { helpdesk: '12', nobody: '0/1' },
  });
  expect(status).toBe(400);
  expect(body['errors']).toEqual([
    { pointer: '/after/helpdesk', detail: 'must be an LSN such as 16/B374D848' },
    { pointer: '/after/nobody', detail: 'is not a source' },
  ]);
});

test('what a reply claims to be as of is never beyond what it shows', async () => {
  // Every row is kept with the position after its commit: a reply as of that position must show it.
  const written: { readonly id: number; readonly position: string }[] = [];
  const write = async (): Promise<void> => {
    for (let id = 1; id <= 60; id++) {
      await database.sql(`INSERT INTO articles VALUES (${id}, 'claim ${id}')`);
      written.push({ id, position: await positionOf(database) });
    }
  };
  const writing = write();
  for (let isOver = false; !isOver;) {
    isOver = written.length === 60;
    const { body } = await product.search('claim', { k: 100, mode: 'lexical' });
    const shown = new Set(body.results.map(({ documentId }) => documentId));
    const claimed = body.asOf['helpdesk']?.position;
    const due = written.filter(({ position }) => claimed !== undefined && compareLsn(position, claimed) <= 0);
    expect(due.map(({ id }) => DOC + id).filter((id) => !shown.has(id))).toEqual([]);
  }
  await writing;
  await product.caughtUp(database);
  const { body } = await product.search('claim', { k: 100, mode: 'lexical' });
  expect(body.results).toHaveLength(60);
});

test('a deleted document is on no read path', async () => {
  await database.sql(
    `INSERT INTO articles VALUES (1, 'The zebra sleeps in the northern stable.'), (2, 'The horse runs in the southern field.')`,
  );
  await product.caughtUp(database);
  for (const mode of MODES) expect(await product.found('zebra', { mode })).toContain(`${DOC}1`);
  expect((await product.answer('Where does the zebra sleep?')).body).toMatchObject({ refused: false });
  await database.sql('DELETE FROM articles WHERE id = 1');
  const after = { helpdesk: await positionOf(database) };
  for (const mode of MODES) expect(await product.found('zebra sleeps', { mode, after })).not.toContain(`${DOC}1`);
  const answer = await product.answer('Where does the zebra sleep?');
  expect(JSON.stringify(answer.body)).not.toMatch(/sleeps|articles\/1/);
  expect((await product.document(`${DOC}1`)).status).toBe(404);
  const { body } = await product.explain(`${DOC}1`);
  expect(body).toMatchObject({ searchable: false, deleted: true, passages: [] });
  expect(JSON.stringify(body)).not.toContain('zebra');
  expect((await product.document(`${DOC}2`)).status).toBe(200);
});

test('freshness tells the position, the lag and the state of a source', async () => {
  await database.sql(`INSERT INTO articles VALUES (1, 'text')`);
  await product.caughtUp(database);
  const freshness = () =>
    product.request<{ sources: Record<string, object>; coverage: object }>('GET', '/v1/freshness');
  // The index may have caught up by the snapshot, before the stream has begun.
  await expect
    .poll(async () => (await freshness()).body.sources['helpdesk'], { timeout: 20_000 })
    .toMatchObject({ kind: 'postgres', state: 'streaming', lagRecords: 0, documents: 1 });
  expect((await freshness()).body.coverage).toEqual({ dense: 1 });
});

test('the index of another model is filled from the log before it claims a position', async () => {
  await database.sql(`INSERT INTO articles SELECT i, 'kept text ' || i FROM generate_series(1, 20) i`);
  await product.caughtUp(database);
  await product.restart({ embedder: { kind: 'onnx' } });
  await database.sql(`INSERT INTO articles VALUES (21, 'kept text too')`);
  const after = { helpdesk: await positionOf(database) };
  const { status, body } = await product.search('kept', { k: 100, mode: 'lexical', after, waitMs: 30_000 });
  expect([status, body.results.length]).toEqual([200, 21]);
});
