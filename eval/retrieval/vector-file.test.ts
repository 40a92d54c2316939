import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openVectorFile } from './vector-file.ts';

it('what one run has stored the next one finds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-eval-'));
  const path = join(folder, 'below', 'vectors.db');
  const value = new Uint8Array([1, 2, 3, 4]);
  {
    await using first = openVectorFile(path);
    await first.set([
      { key: 'a', value },
      { key: 'b', value: new Uint8Array([9]) },
    ]);
    await first.delete(['b']);
  }
  await using second = openVectorFile(path);
  expect(await second.get(['b', 'a'])).toEqual([undefined, value]);
  await rm(folder, { recursive: true, force: true });
});
