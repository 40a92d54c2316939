import { expect, test } from 'vitest';
import { closest, editDistance } from './closest.ts';

const keys = ['server', 'sources', 'shutdownTimeoutMs', 'dataDir', 'log', 'logLevel'];

test.each([
  ['servr', 'server'],
  ['source', 'sources'],
  ['data_dir', 'dataDir'],
  ['data-dir', 'dataDir'],
  ['SHUTDOWNTIMEOUTMS', 'shutdownTimeoutMs'],
  ['lgo', 'log'],
  ['kafka', undefined],
  ['x', undefined],
])('%s stands for %s', (word, meant) => {
  expect(closest(word, keys)).toBe(meant);
});

test('the distance counts insertions, deletions, replacements and swapped neighbours as one each', () => {
  expect(editDistance('search', 'serach')).toBe(1);
  expect(editDistance('search', 'searc')).toBe(1);
  expect(editDistance('search', 'ssearch')).toBe(1);
  expect(editDistance('search', 'sxarch')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('abc', 'abc')).toBe(0);
});
