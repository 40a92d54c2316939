import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { HOOK_SECRET, postgresSource, startProduct, type Product } from '../support/product.ts';

const CRM = { name: 'crm', kind: 'webhook', signature: { scheme: 'standard-webhooks', secret: HOOK_SECRET } } as const;
const TABLE = {
  table: 'public.pages',
  title: 'title',
  body: 'body',
  tenant: { column: 'tenant' },
  metadata: ['topic'],
};
const TOPIC = 'helpdesk.public.pages';

let database: TestDatabase;
let product: Product;

beforeEach(async () => {
  database = await testDatabase();
  await database.sql(
    `CREATE TABLE pages (id int PRIMARY KEY, title text, body text, tenant text DEFAULT 'default', topic text DEFAULT 'a')`,
  );
  product = await startProduct({ sources: [postgresSource(database, [TABLE]), CRM] });
  await product.caughtUp(database);
});
afterEach(async () => {
  await product[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const page = (id: number) => `helpdesk/public.pages/${id}`;
const found = (query: string) => product.found(query, { mode: 'lexical' });

/** Retries what is parked and waits for its effect. */
async function retryAll(): Promise<void> {
  for (const { id } of await product.failures()) expect(await product.retry(id)).toBe(200);
  // A retried record stands behind everything that was committed before it, which may have been passed already.
  await database.sql('SELECT pg_current_xact_id()');
  await product.caughtUp(database);
}

describe('a row that does not fit', () => {
  test('without a tenant is parked with everything that finding out takes, and its neighbours go on', async () => {
    await database.sql(
      `INSERT INTO pages VALUES (1, 'one', 'first text', 'default'), (2, 'two', 'secret words', NULL), (3, 'three', 'third text', 'default')`,
    );
    await product.caughtUp(database);
    expect((await found('text')).toSorted()).toEqual([page(1), page(3)]);
    const [letter, ...rest] = await product.failures();
    expect(rest).toEqual([]);
    expect(letter).toMatchObject({
      state: 'open',
      stage: 'decode-change',
      code: 'FRESHET_MAPPING_FAILED',
      source: 'helpdesk',
      documentId: page(2),
      attempts: 1,
      pointer: { topic: TOPIC, partition: 0, offset: expect.stringMatching(/^\d+$/) as string },
      payloadHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(letter?.version).toMatch(/^\d+$/);
    expect(JSON.stringify(letter)).not.toContain('secret words');
    await database.sql(`UPDATE pages SET tenant = 'default' WHERE id = 2`);
    await product.caughtUp(database);
    expect(await found('secret')).toEqual([page(2)]);
  });

  test('because its column was dropped comes back by a retry once the mapping is mended', async () => {
    await database.sql(`INSERT INTO pages VALUES (1, 'one', 'before the drop')`);
    await database.sql(`ALTER TABLE pages DROP COLUMN topic; INSERT INTO pages VALUES (2, 'two', 'after the drop')`);
    await product.caughtUp(database);
    expect(await found('drop')).toEqual([page(1)]);
    const [letter] = await product.failures();
    expect(letter).toMatchObject({ code: 'FRESHET_MAPPING_FAILED', documentId: page(2) });
    const [source] = product.config.sources;
    const { metadata: _, ...mended } = TABLE;
    await product.restart({ sources: [{ ...(source as ReturnType<typeof postgresSource>), tables: [mended] }, CRM] });
    await retryAll();
    expect(await found('drop')).toEqual(expect.arrayContaining([page(1), page(2)]));
    expect(await product.failures()).toEqual([]);
  });

  test('and is changed once more before the retry stays in its newer version', async () => {
    await database.sql(`INSERT INTO pages VALUES (1, 'one', 'old words', NULL)`);
    await database.sql(`UPDATE pages SET tenant = 'default', body = 'new words'`);
    await product.caughtUp(database);
    await retryAll();
    expect((await product.document(page(1))).body.text).toBe('new words');
  });

  test('of 10 MB is indexed, and one above the limit is parked by reference', async () => {
    await database.sql(`INSERT INTO pages SELECT 1, 'large', 'landmark ' || repeat(md5('x') || ' ', 317750)`);
    await database.sql(`INSERT INTO pages VALUES (2, 'small', 'landmark beside it')`);
    await product.caughtUp(database);
    expect((await found('landmark')).toSorted()).toEqual([page(1), page(2)]);
    await product.restart({ pipeline: { maxDocumentBytes: 1_000_000 } });
    await database.sql(`INSERT INTO pages SELECT 3, 'large', 'oversize ' || repeat(md5('y') || ' ', 317750)`);
    await database.sql(`INSERT INTO pages VALUES (4, 'small', 'oversize beside it')`);
    await product.caughtUp(database);
    expect(await found('oversize')).toEqual([page(4)]);
    const [letter] = await product.failures();
    expect(letter).toMatchObject({ code: 'FRESHET_DOCUMENT_TOO_LARGE', documentId: page(3) });
    expect(letter?.payloadBytes).toBeGreaterThan(10_000_000);
    expect(JSON.stringify(letter).length).toBeLessThan(1_000);
    await product.restart();
    await retryAll();
    expect((await found('oversize')).toSorted()).toEqual([page(3), page(4)]);
  });
});

describe('a record that no connector writes', () => {
  const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  test.each([
    ['no JSON', Buffer.from('{')],
    ['an empty value', Buffer.alloc(0)],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['deep nesting', Buffer.from(`{"op":"c","before":null,"after":{"id":9,"body":${deep}}}`)],
    ['another shape', Buffer.from('{"op":"c","after":{"__proto__":{"polluted":true}}}')],
    ['a marker of no kind', Buffer.from('{"kind":"watermark","source":7}')],
    ['an event without a form', Buffer.from('{"event":{"__proto__":{}}}')],
  ])('is parked alone: %s', async (_what, value) => {
    await database.sql(`INSERT INTO pages VALUES (1, 'one', 'before it')`);
    await product.caughtUp(database);
    await product.append([{ topic: TOPIC, key: page(9), value }]);
    await database.sql(`INSERT INTO pages VALUES (2, 'two', 'after it')`);
    await product.caughtUp(database);
    expect((await found('it')).toSorted()).toEqual([page(1), page(2)]);
    const letters = await product.failures();
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({
      stage: 'decode-change',
      code: 'FRESHET_RECORD_UNREADABLE',
      documentId: page(9),
      pointer: { topic: TOPIC },
      payloadBytes: value.length,
    });
    expect(await product.retry(letters[0]?.id ?? '')).toBe(200); // a retry that fails again is a new dead letter
    await product.caughtUp(database);
    expect(await product.failures()).toHaveLength(1);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('a row with odd text', () => {
  test('a column and a value named __proto__ are a column and a value', async () => {
    const [source] = product.config.sources;
    await database.sql(
      `ALTER TABLE pages ADD COLUMN "__proto__" text DEFAULT 'x', ADD COLUMN "constructor" text DEFAULT 'y'`,
    );
    const odd = { ...TABLE, metadata: ['__proto__', 'constructor', 'topic'] };
    await product.restart({ sources: [{ ...(source as ReturnType<typeof postgresSource>), tables: [odd] }, CRM] });
    await database.sql(`INSERT INTO pages VALUES (1, '__proto__', 'odd column', 'default', '__proto__', 'value')`);
    await product.caughtUp(database);
    expect(await product.failures()).toEqual([]);
    const { results } = (await product.search('odd', { filter: { topic: '__proto__' } })).body;
    expect(results).toHaveLength(1);
    expect(Object.entries(results[0]?.metadata ?? {})).toEqual(
      expect.arrayContaining([
        ['constructor', 'y'],
        ['topic', '__proto__'],
        ['__proto__', 'value'],
      ]),
    );
  });

  test('control characters, an empty and a blank body do no harm', async () => {
    await database.sql(
      `INSERT INTO pages VALUES (1, '', ''), (2, ' ', E' \\n\\t '), (3, E'\\x01', E'bell \\x07 rings \\u200d 😀')`,
    );
    await product.caughtUp(database);
    expect(await product.failures()).toEqual([]);
    expect(await found('bell')).toEqual([page(3)]);
    expect((await product.document(page(1))).status).toBe(200);
  });
});

describe('a delivery that cannot be taken', () => {
  const event = (body: string, over: object = {}) => ({
    id: `evt_${crypto.randomUUID()}`,
    type: 'upsert',
    collection: 'notes',
    key: '1',
    document: { body },
    ...over,
  });
  const raw = (text: string) => Buffer.from(text);

  test.each([
    ['no JSON', raw('{')],
    ['an empty object', raw('{}')],
    ['invalid UTF-8', Buffer.concat([raw('{"id":"'), Buffer.from([0xff, 0xfe]), raw('"}')])],
    ['deep nesting', raw(`{"events":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)],
    [
      'a key named __proto__',
      raw(JSON.stringify(event('x')).replace('{"body"', '{"__proto__":{"polluted":true},"body"')),
    ],
    ['an unknown field', raw(JSON.stringify(event('x', { also: 1 })))],
  ])('is 422: %s', async (_what, body) => {
    const reply = await product.deliver(body);
    expect([reply.status, reply.body['code']]).toEqual([422, 'FRESHET_EVENT_INVALID']);
    const next = await product.deliver(event('the next one'));
    expect(next.status).toBe(202);
    await product.search('next', { after: { crm: String(next.body['position']) }, waitMs: 30_000 });
    expect(await found('next')).toEqual(['crm/notes/1']);
  });

  test('of 10 MB is 413', async () => {
    const reply = await product.deliver(event('x'.repeat(10_485_760)));
    expect([reply.status, reply.body['code']]).toEqual([413, 'FRESHET_REQUEST_TOO_LARGE']);
  });

  test('a lone surrogate and NUL inside a text are taken, and replaced', async () => {
    const body = raw(JSON.stringify(event('')).replace('"body":""', '"body":"lone \\ud800 nul \\u0000 end"'));
    const reply = await product.deliver(body);
    expect(reply.status).toBe(202);
    await product.search('x', { after: { crm: String(reply.body['position']) }, waitFor: 'complete', waitMs: 30_000 });
    expect((await product.document('crm/notes/1')).body.text).toBe('lone \ufffd nul \ufffd end');
    expect(await product.failures()).toEqual([]);
  });
});
