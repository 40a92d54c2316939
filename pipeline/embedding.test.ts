import { expect, test } from 'vitest';
import { memoryCache } from '../ports/cache/memory-cache.ts';
import { openSqliteDocumentStore } from '../ports/document-store/sqlite-document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import { hashEmbedder } from '../ports/embedder/hash-embedder.ts';
import { silentLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { FakeClock } from '../test/support/fake-clock.ts';
import { createEmbedding, type TextToEmbed } from './embedding.ts';

const { signal } = new AbortController();

/** The embedder of the tests, with the texts that it was asked for. */
function countingEmbedder() {
  const inner = hashEmbedder();
  const asked: string[] = [];
  const embedder: Embedder = {
    model: inner.model,
    tokenizer: inner.tokenizer,
    embed: (texts, kind, aborted) => {
      asked.push(...texts);
      return inner.embed(texts, kind, aborted);
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  return { embedder, asked };
}

function anEmbedding() {
  const clock = new FakeClock();
  const { embedder, asked } = countingEmbedder();
  const embedding = createEmbedding({
    embedder,
    store: openSqliteDocumentStore({
      path: ':memory:',
      dimensions: embedder.model.dimensions,
      clock,
      logger: silentLogger,
    }),
    cache: memoryCache({ maxBytes: 1_000_000, clock }),
    maxBatchTokens: 64,
    clock,
    metrics: createMetrics(),
  });
  return { embedding, asked };
}

const aText = (text: string): TextToEmbed => ({ text, vectorKey: `key of ${text}`, tokens: text.split(' ').length });

test('equal texts of one call are embedded once (I7)', async () => {
  const { embedding, asked } = anEmbedding();
  const vectors = await embedding.compute([aText('a b'), aText('c d'), aText('a b')], signal);
  expect(asked.toSorted()).toEqual(['a b', 'c d']);
  expect([...vectors.keys()].toSorted()).toEqual(['key of a b', 'key of c d']);
});

test('a text that is being embedded already is waited for, not embedded again (I7)', async () => {
  const { embedding, asked } = anEmbedding();
  const [first, second] = await Promise.all([
    embedding.compute([aText('a b')], signal),
    embedding.compute([aText('a b'), aText('c d')], signal),
  ]);
  expect(asked.toSorted()).toEqual(['a b', 'c d']);
  expect(second.get('key of a b')).toEqual(first.get('key of a b'));
});

test('a text that another batch has embedded since it was looked up is not embedded again (I7)', async () => {
  const { embedding, asked } = anEmbedding();
  expect(await embedding.lookUp([aText('a b')], signal)).toEqual(new Map());
  const computed = await embedding.compute([aText('a b')], signal);
  expect(await embedding.compute([aText('a b')], signal)).toEqual(computed);
  expect(asked).toEqual(['a b']);
});

test('a text that was embedded before is looked up, with the same vector (I7)', async () => {
  const { embedding, asked } = anEmbedding();
  const computed = await embedding.compute([aText('a b')], signal);
  const found = await embedding.lookUp([aText('a b'), aText('never seen')], signal);
  expect(found).toEqual(computed);
  expect(asked).toEqual(['a b']);
});
