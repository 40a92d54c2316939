import { expect, it } from 'vitest';
import { embedderConformance } from './embedder.conformance.ts';
import { hashEmbedder } from './hash-embedder.ts';

embedderConformance('hash', async () => hashEmbedder());
embedderConformance('hash with 32 dimensions', async () => hashEmbedder({ dimensions: 32 }));

it('another number of dimensions is another model', () => {
  expect(hashEmbedder().model.fingerprint).not.toBe(hashEmbedder({ dimensions: 32 }).model.fingerprint);
});

it('the case of words does not change their vector', async () => {
  const [small, large] = await hashEmbedder().embed(['fresh index', 'Fresh INDEX'], 'passage');
  expect(large).toEqual(small);
});
