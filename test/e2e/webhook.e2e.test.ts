import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOOK_SECRET, startProduct, type Product } from '../support/product.ts';

let product: Product;
beforeEach(async () => {
  product = await startProduct({
    sources: [{ name: 'crm', kind: 'webhook', signature: { scheme: 'standard-webhooks', secret: HOOK_SECRET } }],
    log: { partitions: 3 },
  });
});
afterEach(() => product[Symbol.asyncDispose]());

const ID = 'crm/tickets/7';
let events = 0;
const upsert = (body: string, over: object = {}) => ({
  id: `evt_${++events}`,
  type: 'upsert',
  collection: 'tickets',
  key: '7',
  document: { body },
  ...over,
});
const remove = (over: object = {}) => ({
  id: `evt_${++events}`,
  type: 'delete',
  collection: 'tickets',
  key: '7',
  ...over,
});

/** Delivers and waits until what was delivered is in the index. */
async function take(body: unknown, status = 202): Promise<void> {
  const reply = await product.deliver(body);
  expect(reply.status).toBe(status);
  await reached(String(reply.body['position']));
}

async function reached(position: string): Promise<void> {
  const { status } = await product.search('any', { after: { crm: position }, waitFor: 'complete', waitMs: 30_000 });
  expect(status).toBe(200);
}

test('a signed delivery is 202, and a search with its position finds it', async () => {
  const document = { title: 'Refund', body: 'The refund of the otter is under way.', metadata: { team: 'billing' } };
  const reply = await product.deliver(upsert('', { document }));
  expect(reply.status).toBe(202);
  expect(reply.body).toEqual({ accepted: 1, position: expect.stringMatching(/^\d+$/) as string });
  const after = { crm: String(reply.body['position']) };
  const { body } = await product.search('otter', { after, filter: { team: 'billing' } });
  expect(body.results[0]).toMatchObject({
    documentId: ID,
    title: 'Refund',
    source: { name: 'crm', table: 'tickets', key: '7' },
  });
  expect(BigInt(body.asOf['crm']?.position ?? 0)).toBeGreaterThanOrEqual(BigInt(after.crm));
});

test('a replayed delivery is 200 and changes nothing, also after a restart', async () => {
  const first = upsert('the first words');
  await take(first);
  const id = 'msg_second';
  expect((await product.deliver(upsert('the second words'), { id })).status).toBe(202);
  for (const again of [await product.deliver(upsert('other words'), { id }), await product.deliver(first)]) {
    expect([again.status, again.body['accepted']]).toEqual([200, 0]);
    await reached(String(again.body['position']));
  }
  await product.restart();
  expect((await product.deliver(first)).status).toBe(200);
  await take(remove({ key: 'other' }));
  expect((await product.document(ID)).body.text).toBe('the second words');
});

test('a forged, a late and an unsigned delivery are 401, and nothing of them is stored', async () => {
  const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
  const old = { 'webhook-timestamp': '1000000000' };
  for (const options of [{ secret }, { headers: old }, { headers: { 'webhook-signature': 'v1,AAAA' } }]) {
    const { status, body } = await product.deliver(upsert('forged'), options);
    expect([status, body['code']]).toEqual([401, 'FRESHET_SIGNATURE_INVALID']);
  }
  expect(await product.records('freshet.hooks.crm')).toHaveLength(3); // the markers of the start
  expect((await product.deliver(upsert('x'), { headers: { 'content-type': 'text/plain' } })).status).toBe(415);
});

test('a batch is taken in order and as a whole, or not at all', async () => {
  await take({
    events: [
      upsert('one', { key: 'a' }),
      upsert('two', { key: 'b' }),
      upsert('three', { key: 'a' }),
      remove({ key: 'b' }),
    ],
  });
  expect((await product.document('crm/tickets/a')).body.text).toBe('three');
  expect((await product.document('crm/tickets/b')).status).toBe(404);
  const half = await product.deliver({ events: [upsert('four', { key: 'c' }), { ...upsert('five'), type: 'move' }] });
  expect([half.status, half.body['code']]).toEqual([422, 'FRESHET_EVENT_INVALID']);
  await take(upsert('six', { key: 'd' }));
  expect((await product.document('crm/tickets/c')).status).toBe(404);
});

test('a delete takes the document off every path', async () => {
  await take(upsert('the badger digs'));
  expect(await product.found('badger')).toEqual([ID]);
  await take(remove());
  expect(await product.found('badger')).toEqual([]);
  expect((await product.document(ID)).status).toBe(404);
  const stored = await product.records('freshet.hooks.crm');
  expect(stored.filter(({ key }) => key === ID)).toHaveLength(2);
});

test('of versions that come out of order the highest wins', async () => {
  for (const version of [3, 1, 5, 2, 4]) await take(upsert(`version ${version}`, { version }));
  expect((await product.document(ID)).body).toMatchObject({ text: 'version 5', version: '5' });
  await take(remove({ version: 4 }));
  expect((await product.document(ID)).status).toBe(200);
  await take(remove({ version: 6 }));
  await take(upsert('late', { version: 5 }));
  expect((await product.document(ID)).status).toBe(404);
  await take(upsert('after', { version: 7 }));
  expect((await product.document(ID)).body.text).toBe('after');
});

test('a delete before the create leaves a tombstone that the create does not pass', async () => {
  await take(remove({ version: 9 }));
  await take(upsert('created late', { version: 8 }));
  expect((await product.document(ID)).status).toBe(404);
  expect((await product.explain(ID)).body).toMatchObject({ searchable: false, deleted: true, version: '9' });
  expect(await product.found('created', { mode: 'lexical' })).toEqual([]);
});

test('an id that comes a hundred times at once counts once', async () => {
  const event = upsert('only once');
  const replies = await Promise.all(Array.from({ length: 100 }, () => product.deliver(event)));
  const accepted = replies.filter(({ status }) => status === 202);
  expect([accepted.length, replies.filter(({ status }) => status === 200).length]).toEqual([1, 99]);
  await reached(String(replies[0]?.body['position']));
  expect((await product.records('freshet.hooks.crm')).filter(({ key }) => key === ID)).toHaveLength(1);
});

test('keys with odd characters make the ids of the contract', async () => {
  const keys = ['a/b', 'a%2Fb', 'a,b', 'line\nbreak', '😀', '__proto__', '#1', ' '];
  await take({ events: keys.map((key) => upsert('keyed', { key })) });
  const ids = keys.map((key) => `crm/tickets/${encodeURIComponent(key)}`);
  expect((await product.found('keyed')).toSorted()).toEqual(ids.toSorted());
  for (const id of ids) expect((await product.document(id)).body.documentId).toBe(id);
});
