import { expect, test } from 'vitest';
import { createMetrics } from '../../runtime/metrics.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { memoryCache } from '../cache/memory-cache.ts';
import { embedderConformance } from './embedder.conformance.ts';
import { hashEmbedder } from './hash-embedder.ts';
import { rememberQueries } from './remember-queries.ts';

const aCache = () => memoryCache({ maxBytes: 1_000_000, clock: new FakeClock() });

function rig() {
  const asked: string[] = [];
  const inner = hashEmbedder();
  const counting = {
    ...inner,
    embed: (...call: Parameters<typeof inner.embed>) => {
      asked.push(`${call[1]}: ${call[0].join()}`);
      return inner.embed(...call);
    },
  };
  const cache = aCache();
  const metrics = createMetrics();
  return { asked, inner, counting, cache, metrics, embedder: rememberQueries(counting, cache, metrics) };
}

test('a query is embedded once, and its vector is the same each time', async () => {
  const { asked, embedder, inner } = rig();
  const [first] = await embedder.embed(['a question'], 'query');
  const [second] = await embedder.embed(['a question'], 'query');
  expect(second).toEqual(first);
  expect(second).toEqual((await inner.embed(['a question'], 'query'))[0]);
  second!.fill(0); // what a caller does to its vector is its own affair
  expect((await embedder.embed(['a question'], 'query'))[0]).toEqual(first);
  expect(asked).toEqual(['query: a question']);
});

test('another case, another model and a passage are embedded', async () => {
  const { asked, counting, cache, metrics, embedder } = rig();
  await embedder.embed(['a question'], 'query');
  await embedder.embed(['A question'], 'query');
  await embedder.embed(['a question'], 'passage');
  const other = { ...counting, model: { ...counting.model, fingerprint: 'other' } };
  await rememberQueries(other, cache, metrics).embed(['a question'], 'query');
  expect(asked).toHaveLength(4);
});

test('an entry of another length is a miss, and a failure is not remembered', async () => {
  const { asked, cache, counting, metrics, embedder } = rig();
  await embedder.embed(['a question'], 'query');
  await rememberQueries({ ...counting, model: { ...counting.model, dimensions: 7 } }, cache, metrics).embed(
    ['a question'],
    'query',
  );
  expect(asked).toHaveLength(2);
  const failing = rememberQueries({ ...counting, embed: () => Promise.reject(new Error('away')) }, aCache(), metrics);
  await expect(failing.embed(['x'], 'query')).rejects.toThrow('away');
  await expect(failing.embed(['x'], 'query')).rejects.toThrow('away');
});

embedderConformance('remembering queries', async () => rememberQueries(hashEmbedder(), aCache(), createMetrics()));
