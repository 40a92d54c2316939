import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { positionOf, postgresSource, startProduct, type Caller, type Product } from '../support/product.ts';

const MODES = ['hybrid', 'lexical', 'dense'] as const;
const QUESTION = 'Where does the falcon of the company nest?';

let database: TestDatabase;
let product: Product;

beforeEach(async () => {
  database = await testDatabase();
  await database.sql('CREATE TABLE pages (id int PRIMARY KEY, title text, body text, tenant text, groups text[])');
  await database.sql(`INSERT INTO pages VALUES
    (1, 'Falcon', 'The falcon of the company nests on the red tower.', 'acme', '{staff}'),
    (2, 'Falcon', 'The falcon of the company nests on the blue bridge.', 'globex', '{staff}'),
    (3, 'Falcon', 'The falcon of the company nests in the green vault.', 'acme', '{board}'),
    (4, 'Falcon', 'The falcon of the company nests in a white cellar.', 'acme', '{}'),
    (5, 'Falcon', 'The falcon of the company nests in a black attic.', 'acme', NULL)`);
  product = await startProduct({
    sources: [
      postgresSource(database, [
        {
          table: 'public.pages',
          title: 'title',
          body: 'body',
          tenant: { column: 'tenant' },
          acl: { column: 'groups' },
        },
      ]),
    ],
  });
  await product.caughtUp(database);
});
afterEach(async () => {
  await product[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const page = (id: number) => `helpdesk/public.pages/${id}`;

/** What a caller sees must be the same set on every path. */
async function expectVisible(caller: Caller, ids: readonly number[], after?: Record<string, string>): Promise<void> {
  const expected = ids.map(page);
  for (const mode of MODES) {
    const found = await product.found('falcon company nests', { mode, k: 100, ...(after && { after }) }, caller);
    expect([mode, found.toSorted()]).toEqual([mode, expected]);
  }
  const statuses = await Promise.all(
    [1, 2, 3, 4, 5].map(async (id) => (await product.document(page(id), caller)).status),
  );
  expect(statuses).toEqual([1, 2, 3, 4, 5].map((id) => (ids.includes(id) ? 200 : 404)));
  const answer = JSON.stringify((await product.answer(QUESTION, { k: 50 }, caller)).body);
  const places = ['red tower', 'blue bridge', 'green vault', 'white cellar', 'black attic'];
  for (const [index, place] of places.entries())
    if (!ids.includes(index + 1)) expect(answer).not.toMatch(new RegExp(`${place}|pages/${index + 1}`));
}

test('a caller sees its own tenant and groups, on every path', async () => {
  await expectVisible({ tenant: 'acme', groups: ['staff'] }, [1]);
  await expectVisible({ tenant: 'acme', groups: ['board', 'staff'] }, [1, 3]);
  await expectVisible({ tenant: 'globex', groups: ['staff', 'board'] }, [2]);
});

test('a caller without groups, or of another tenant, sees nothing that names groups', async () => {
  for (const caller of [
    { tenant: 'acme' },
    { tenant: 'acme', groups: [] },
    { tenant: 'nobody', groups: ['staff'] },
    {},
  ])
    await expectVisible(caller, []);
  const { body } = await product.answer(QUESTION, {}, { tenant: 'nobody', groups: ['staff'] });
  expect(body).toMatchObject({ refused: true, citations: [] });
});

test('names of tenants and groups are compared as they are', async () => {
  for (const tenant of ['ACME', 'acm', 'acme%', "acme' OR '1'='1", '*'])
    await expectVisible({ tenant, groups: ['staff', '*', '%', '{}', ''] }, []);
  await expectVisible({ tenant: 'acme', groups: ['STAFF', 'staff2', '*', '%', '{}', 'NULL', ''] }, []);
});

test('a grant that is revoked is gone with its commit, and no text is embedded for it', async () => {
  const caller = { tenant: 'acme', groups: ['staff'] };
  const computed = await product.computedTexts();
  await database.sql(`UPDATE pages SET groups = '{board}' WHERE id = 1`);
  await expectVisible(caller, [], { helpdesk: await positionOf(database) });
  await database.sql(`UPDATE pages SET groups = '{board,staff}' WHERE id IN (1, 3)`);
  await expectVisible(caller, [1, 3], { helpdesk: await positionOf(database) });
  await database.sql(`UPDATE pages SET tenant = 'globex' WHERE id = 3`);
  await expectVisible(caller, [1], { helpdesk: await positionOf(database) });
  await expectVisible({ tenant: 'globex', groups: ['staff'] }, [2, 3]);
  await product.caughtUp(database);
  expect(await product.computedTexts()).toBe(computed);
});

test('explain is for operators: a page in a browser from elsewhere is none', async () => {
  const url = `${product.address()}/v1/admin/explain/${encodeURIComponent(page(1))}`;
  const foreign = await fetch(url, { headers: { 'sec-fetch-site': 'cross-site' } });
  expect(foreign.status).toBe(403);
  expect(await foreign.text()).not.toContain('acme');
  const { body } = await product.explain(page(1));
  expect(body).toMatchObject({ searchable: true, tenant: 'acme', acl: ['staff'] });
  expect(JSON.stringify(body)).not.toContain('tower');
});
