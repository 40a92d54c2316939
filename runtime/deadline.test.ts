import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { deadline } from './deadline.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Resolves when the signal has aborted, and holds nothing but a listener. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

test('work is limited, also when garbage is collected meanwhile', async () => {
  const caller = new AbortController();
  const over = aborted(deadline(systemClock, 50, caller.signal).signal);
  await systemClock.sleep(1);
  collectGarbage();
  await over;
});

test('the caller may give up sooner, which is no expiry', async () => {
  const caller = new AbortController();
  const limit = deadline(systemClock, 60_000, caller.signal);
  caller.abort(new Error('enough'));
  expect([limit.signal.reason, limit.expired()]).toEqual([caller.signal.reason, false]);
  limit.end();
});

test('work that ends in time is not aborted later', async () => {
  const limit = deadline(systemClock, 5, new AbortController().signal);
  limit.end();
  await systemClock.sleep(20);
  expect([limit.signal.aborted, limit.expired()]).toEqual([false, false]);
});
