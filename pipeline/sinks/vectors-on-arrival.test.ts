import { expect, test } from 'vitest';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import { aChange } from '../../test/support/builders.ts';
import { pipelineRig } from '../../test/support/pipeline-rig.ts';

/** Computes one batch and keeps every further one until `open` is called. */
function gatedEmbedder(): Embedder & { readonly texts: string[]; open(): void } {
  const inner = hashEmbedder();
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const texts: string[] = [];
  let calls = 0;
  return {
    ...inner,
    texts,
    open: () => open(),
    embed: async (batch, kind, signal) => {
      if (calls++ > 0) await opened;
      texts.push(...batch);
      return inner.embed(batch, kind, signal);
    },
  };
}

/** A document of about forty passages: two batches of the model. */
const LONG_BODY = Array.from({ length: 300 }, (_, n) => `Sentence ${n} says that part ${n * 7} is kept apart.`).join(
  ' ',
);

test('vectors are in the index while others of their batch are computed, and are not computed again', async () => {
  const embedder = gatedEmbedder();
  await using rig = await pipelineRig({ embedder, inlineBudgetMs: 0 });
  await rig.append(aChange({ row: { id: '1', title: 'Long', body: LONG_BODY } }));
  await expect.poll(async () => (await rig.store.progress()).passagesWithVector).toBeGreaterThan(0);
  const early = await rig.store.progress();
  expect(early.passagesWithVector).toBeLessThan(early.passages);
  embedder.open();
  await rig.settled();
  const late = await rig.store.progress();
  expect(late.passagesWithVector).toBe(late.passages);
  expect(embedder.texts).toHaveLength(late.passages);
});

test('a document that changes meanwhile keeps no vector of its former version', async () => {
  const embedder = gatedEmbedder();
  await using rig = await pipelineRig({ embedder, inlineBudgetMs: 0 });
  await rig.append(aChange({ lsn: 10, row: { id: '1', title: 'Long', body: LONG_BODY } }));
  await expect.poll(async () => (await rig.store.progress()).passagesWithVector).toBeGreaterThan(0);
  await rig.append(aChange({ lsn: 20, row: { id: '1', title: 'Short', body: 'One sentence is left.' } }));
  await expect.poll(async () => (await rig.store.progress()).passages).toBe(1);
  embedder.open();
  await rig.settled();
  expect(await rig.store.progress()).toMatchObject({ passages: 1, passagesWithVector: 1 });
});
