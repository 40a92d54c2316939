import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aResult } from '../../test/support/eval-result.ts';
import { readResults, storeResult } from './results-folder.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-results-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('runs are kept, oldest first, by suite', async () => {
  const below = join(folder, 'not', 'there', 'yet');
  expect(await readResults(below)).toEqual([]);
  const late = aResult({ measuredAt: '2026-03-01T00:00:00.000Z' });
  const early = aResult({ measuredAt: '2026-02-01T00:00:00.000Z' });
  const other = aResult({ suite: 'golden' });
  for (const each of [late, early, other]) await storeResult(below, each);
  await writeFile(join(below, 'README.md'), 'not a run');
  expect((await readResults(below, 'retrieval')).map(({ result }) => result)).toEqual([early, late]);
  expect(await readResults(below)).toHaveLength(3);
});

it('a run is never overwritten', async () => {
  await storeResult(folder, aResult());
  await expect(storeResult(folder, aResult({ model: 'another' }))).rejects.toThrow('EEXIST');
  expect((await readResults(folder))[0]?.result.model).toBe('a-model');
});

it('a file that was cut off is named', async () => {
  await writeFile(join(folder, 'retrieval-x.json'), '{"version": 1, ');
  await expect(readResults(folder)).rejects.toThrow(/retrieval-x\.json is not JSON/);
});
