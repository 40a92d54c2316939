import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOOK_SECRET, startProduct, type Product } from '../support/product.ts';

let product: Product;
beforeEach(async () => {
  product = await startProduct({
    sources: [{ name: 'crm', kind: 'webhook', signature: { scheme: 'standard-webhooks', secret: HOOK_SECRET } }],
    cache: { auditShare: 0 },
  });
});
afterEach(() => product[Symbol.asyncDispose]());

const QUESTION = 'How long is a job lock held?';
let events = 0;
const event = (type: 'upsert' | 'delete', key: string, document?: object) => ({
  id: `evt_${++events}`,
  type,
  collection: 'tickets',
  key,
  ...(document && { document }),
});

/** Delivers, waits until it is in the index, and asks. */
async function askAfter(body: unknown): Promise<Record<string, unknown>> {
  const { body: accepted } = await product.deliver(body);
  const after = { crm: String(accepted['position']) };
  const { body: answer } = await product.answer(QUESTION, { after, waitFor: 'complete', waitMs: 30_000 });
  return answer;
}

test('an answer is given again until its document is changed, closed or deleted', async () => {
  const held = (seconds: number) => `A job lock is held for ${seconds} seconds.`;
  const first = await askAfter(event('upsert', '7', { title: 'Locks', body: held(30) }));
  expect(first).toMatchObject({ cached: false, answer: expect.stringContaining(held(30)) as string });
  const { body: again } = await product.answer(QUESTION);
  expect(again).toMatchObject({ cached: true, answer: first['answer'], usage: { promptTokens: 0 } });
  expect((await product.answer(QUESTION, {}, { groups: ['staff'] })).body['cached']).toBe(false);

  const changed = await askAfter(event('upsert', '7', { title: 'Locks', body: held(60) }));
  expect(changed).toMatchObject({ cached: false, answer: expect.stringContaining(held(60)) as string });
  const closed = await askAfter(event('upsert', '7', { title: 'Locks', body: held(60), acl: ['staff'] }));
  expect(closed).toMatchObject({ cached: false, refused: true });
  const deleted = await askAfter(event('delete', '7'));
  expect(deleted).toMatchObject({ cached: false, refused: true });

  const metrics = await (await fetch(`${product.address()}/metrics`)).text();
  expect(metrics).toMatch(/freshet_cache_requests_total\{cache="answers",result="hit"\} 1$/m);
  expect(metrics).toMatch(/freshet_cache_requests_total\{cache="query-vectors",result="hit"\} [1-9]/);
});

test('answers are written each time where the config says so', async () => {
  await product.restart({ cache: { answers: 'off', queryVectorMaxBytes: 0 } });
  await askAfter(event('upsert', '7', { title: 'Locks', body: 'A job lock is held for 30 seconds.' }));
  expect((await product.answer(QUESTION)).body).toMatchObject({ cached: false, refused: false });
});
