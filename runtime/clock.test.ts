import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

test('a sleep ends after its time and leaves nothing at the signal', async () => {
  const { signal } = new AbortController();
  await systemClock.sleep(1, signal);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a sleep that is cut short throws the reason of the signal, also one that was aborted before', async () => {
  const reason = new Error('enough');
  const aborting = new AbortController();
  const slept = systemClock.sleep(1e6, aborting.signal);
  aborting.abort(reason);
  await expect(slept).rejects.toBe(reason);
  await expect(systemClock.sleep(1e6, aborting.signal)).rejects.toBe(reason);
});
