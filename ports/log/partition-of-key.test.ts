import { expect, it } from 'vitest';
import { partitionOfKey } from './partition-of-key.ts';

it('the partition of a key never changes from one version of freshet to the next', () => {
  const keys = ['', 'a', 'helpdesk/public.articles/1', 'helpdesk/public.articles/2', '漢字', '{"id":42}'];
  expect(keys.map((key) => partitionOfKey(key, 16))).toEqual([11, 3, 12, 0, 5, 11]);
});

it('consecutive keys are spread evenly', () => {
  const counts = Array.from({ length: 8 }, () => 0);
  for (let i = 0; i < 8_000; i++) counts[partitionOfKey(`helpdesk/public.articles/${i}`, 8)]!++;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
