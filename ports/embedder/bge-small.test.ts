import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ModelMismatch } from '../../runtime/errors.ts';
import { readBgeSmall } from './bge-small.ts';

const folder = new URL('../../models/bge-small-en-v1.5-int8/', import.meta.url);

it('the fingerprint changes only with the model: a stored index must fit after an upgrade of Freshet', async () => {
  const { model } = await readBgeSmall();
  expect(model).toEqual({
    name: 'bge-small-en-v1.5-int8',
    revision: '6c9c6101a956',
    dimensions: 384,
    maxTokens: 510,
    fingerprint: 'c67ba9dbf441',
  });
});

it('a vocabulary that is not the checked one is refused', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'freshet-model-'));
  try {
    await copyFile(new URL('SHA256SUMS', folder), join(copy, 'SHA256SUMS'));
    await writeFile(join(copy, 'tokenizer.json'), '{}');
    await expect(readBgeSmall(pathToFileURL(`${copy}/`))).rejects.toThrow(ModelMismatch);
  } finally {
    await rm(copy, { recursive: true });
  }
});

it('a model that is not there is refused by name', async () => {
  await expect(readBgeSmall(new URL('file:///nowhere/'))).rejects.toThrow(ModelMismatch);
});
