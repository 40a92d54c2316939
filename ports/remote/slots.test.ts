import { expect, test } from 'vitest';
import { Slots } from './slots.ts';

const never = new AbortController().signal;
/** Whether a promise has settled by the next turn of the event loop. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await new Promise(setImmediate);
  return settled;
}

test('those beyond the bound wait in order of arrival', async () => {
  const slots = new Slots(1, 2);
  const first = await slots.take(never);
  const [second, third] = [slots.take(never), slots.take(never)];
  first?.release();
  expect([await isSettled(second), await isSettled(third)]).toEqual([true, false]);
  (await second)?.release();
  (await third)?.release();
  expect({ taken: slots.taken, waiting: slots.waiting }).toEqual({ taken: 0, waiting: 0 });
});

test('when too many wait, the next is turned away at once', async () => {
  const slots = new Slots(1, 1);
  const held = await slots.take(never);
  void slots.take(never);
  expect(await slots.take(never)).toBeUndefined();
  held?.release();
});

test('whoever aborts leaves the queue, and the place goes to the one behind', async () => {
  const slots = new Slots(1, 2);
  const held = await slots.take(never);
  const leaving = new AbortController();
  const left = slots.take(leaving.signal);
  const behind = slots.take(never);
  const reason = new Error('gone');
  leaving.abort(reason);
  await expect(left).rejects.toBe(reason);
  held?.release();
  (await behind)?.release();
  expect({ taken: slots.taken, waiting: slots.waiting }).toEqual({ taken: 0, waiting: 0 });
});

test('an abort after the place was given takes nothing from the next', async () => {
  const slots = new Slots(1, 1);
  const leaving = new AbortController();
  const held = await slots.take(never);
  const taken = slots.take(leaving.signal);
  held?.release();
  leaving.abort(new Error('gone'));
  (await taken)?.release();
  expect(slots.taken).toBe(0);
  expect(await isSettled(slots.take(never))).toBe(true);
});
