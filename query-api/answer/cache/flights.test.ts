import { expect, test } from 'vitest';
import { memoryCache } from '../../../ports/cache/memory-cache.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { never } from '../../../test/support/builders.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { AnswerCache } from './answer-cache.ts';
import { Flights } from './flights.ts';

test('work that has ended is not waited for, and a late end of it does not end what has begun since', async () => {
  const flights = new Flights<string>();
  const first = flights.begin('a');
  const ended = flights.running('a');
  first.end({ kind: 'ready', value: 'x' });
  expect(await ended).toEqual({ kind: 'ready', value: 'x' });
  expect(flights.running('a')).toBeUndefined();
  flights.begin('a');
  first.end({ kind: 'abandoned' });
  expect(flights.running('a')).toBeDefined();
  expect(flights.running('b')).toBeUndefined();
});

const answers = () => {
  const clock = new FakeClock();
  const cache = memoryCache({ maxBytes: 100_000, clock });
  return new AnswerCache({
    cache,
    ttlMs: 1,
    auditShare: 0,
    settings: '',
    clock,
    random: () => 1,
    metrics: createMetrics(),
  });
};

test('a writer who goes away hands over to exactly one of those who wait', async () => {
  const kept = answers();
  const leader = await kept.take('a', never);
  const waiting = [kept.take('a', never), kept.take('a', never), kept.take('a', never)];
  if (leader.kind !== 'write') throw new Error('nobody was there before');
  leader.flight?.end({ kind: 'abandoned' });
  const next = await Promise.race(waiting);
  if (next.kind !== 'write' || !next.flight) throw new Error('nobody has taken over');
  const entry = { pieces: [], model: 'm' };
  next.flight.end({ kind: 'ready', value: entry });
  const others = (await Promise.all(waiting)).filter((turn) => turn !== next);
  expect(others).toEqual([
    { kind: 'hit', entry },
    { kind: 'hit', entry },
  ]);
});

test('whoever goes away while he waits takes nobody along', async () => {
  const kept = answers();
  const leader = await kept.take('a', never);
  const leaving = new AbortController();
  const gone = kept.take('a', leaving.signal);
  const stays = kept.take('a', never);
  leaving.abort(new Error('left'));
  await expect(gone).rejects.toThrow('left');
  if (leader.kind === 'write') leader.flight?.end({ kind: 'ready', value: { pieces: [], model: 'm' } });
  expect(await stays).toMatchObject({ kind: 'hit' });
});
