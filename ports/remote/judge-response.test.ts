import { describe, expect, it } from 'vitest';
import { judgeException, judgeRefusal, retryAfterMs } from './judge-response.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');

describe('Retry-After', () => {
  it.each([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['a fraction of seconds', { 'retry-after': '0.5' }, 500],
    ['a date', { 'retry-after': 'Fri, 02 Jan 2026 03:04:15 GMT' }, 10_000],
    ['a date that is past', { 'retry-after': 'Fri, 02 Jan 2026 03:00:00 GMT' }, 0],
    ['hours', { 'retry-after': '86400' }, 120_000],
    ['milliseconds beside it', { 'retry-after': '2', 'retry-after-ms': '1250' }, 1_250],
    ['nonsense', { 'retry-after': 'soon' }, undefined],
    ['a negative number', { 'retry-after': '-1' }, undefined],
    ['nothing', {}, undefined],
  ])('of %s', (_, headers, expected) => {
    const found = retryAfterMs(new Headers(headers as Record<string, string>), NOW);
    // A negative number is no number of seconds; as a date it is one of long ago.
    expect(found === 0 && expected === undefined ? undefined : found).toBe(expected);
  });
});

describe('a status', () => {
  it.each([
    [400, 'refused'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [404, 'forbidden'],
    [408, 'failed'],
    [413, 'refused'],
    [422, 'refused'],
    [424, 'refused'],
    [429, 'overloaded'],
    [498, 'forbidden'],
    [499, 'failed'],
    [500, 'failed'],
    [502, 'failed'],
    [503, 'failed'],
    [504, 'failed'],
  ])('%i means %s', (status, kind) => {
    expect(judgeRefusal(status, new Headers(), NOW).kind).toBe(kind);
  });

  it('503 with Retry-After is a wish to be left alone, not a failure', () => {
    const outcome = judgeRefusal(503, new Headers({ 'retry-after': '3' }), NOW);
    expect(outcome).toEqual({ kind: 'overloaded', reason: 'status 503', retryAfterMs: 3_000 });
  });
});

it('of an exception the name of the system error is kept and the message is not', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:80'), { code: 'ECONNREFUSED' });
  const outcome = judgeException(new TypeError('fetch failed: the secret text', { cause }));
  expect(outcome).toEqual({ kind: 'failed', reason: 'ECONNREFUSED', retryAfterMs: undefined });
});
