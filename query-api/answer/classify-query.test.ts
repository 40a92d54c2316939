import { describe, expect, test } from 'vitest';
import { classifyQuery } from './classify-query.ts';

describe('a query', () => {
  test.each([
    'bullmq.job.extendLock',
    'v5.12.8',
    '5.12',
    'maxStalledCount',
    'max_stalled_count',
    '--until-caught-up',
    'CVE-2026-34950',
    'ERR42',
    'd9b99f2709a3ca74',
    '@bullmq/redis',
    'pg_current_wal_insert_lsn()',
    'job.extendLock fails',
    '16/B374D848',
  ])('that is about an identifier leans on words: %s', (query) => {
    expect(classifyQuery(query)).toBe('identifier');
  });

  test.each([
    'how long is a lock held?',
    'What does job.extendLock do when the worker stalls?',
    'delayed jobs',
    'U.S. history in the 1990s and after',
    'is 3.5 the newest version of the model?',
    'Wie lange gilt eine Sperre?',
    '锁的有效期是多久',
    'and/or',
    '2024',
    '',
  ])('that asks in words weighs both legs alike: %s', (query) => {
    expect(classifyQuery(query)).toBe('words');
  });
});
