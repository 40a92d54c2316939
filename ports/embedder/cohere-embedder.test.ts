import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { startCohereStub } from '../../test/support/cohere-stub.ts';
import type { EmbeddingStub } from '../../test/support/openai-stub.ts';
import { openCohereEmbedder } from './cohere-embedder.ts';
import { embedderConformance } from './embedder.conformance.ts';

const parts = {
  clock: systemClock,
  random: () => 0.5,
  logger: silentLogger,
  timeoutMs: 10_000,
  model: 'embed-v4.0',
  apiKey: 'co-test',
  tokenizer: { kind: 'approximate' },
} as const;

describe('over a stub of Cohere', () => {
  let stub: EmbeddingStub;
  beforeAll(async () => {
    stub = await startCohereStub({ apiKey: 'co-test' });
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  embedderConformance('cohere', () => openCohereEmbedder({ ...parts, url: stub.url }));
});

it('tells the service whether texts are stored or searched with, and never sends more than 96', async () => {
  await using stub = await startCohereStub();
  await using embedder = await openCohereEmbedder({ ...parts, url: stub.url, dimensions: 512 });
  expect(embedder.model.dimensions).toBe(512);
  await embedder.embed(['what'], 'query');
  expect(stub.seen.at(-1)?.inputType).toBe('search_query');
  const passages = Array.from({ length: 200 }, (_, i) => `passage ${i}`);
  await embedder.embed(passages, 'passage');
  expect(stub.seen.at(-1)?.inputType).toBe('search_document');
  expect(Math.max(...stub.seen.map(({ texts }) => texts.length))).toBeLessThanOrEqual(96);
});

it('a refusal for load is met once per request, not repeated by the client behind the back of the scheduler', async () => {
  await using stub = await startCohereStub();
  await using embedder = await openCohereEmbedder({ ...parts, url: stub.url });
  const before = stub.seen.length;
  stub.inject({ kind: 'status', status: 429 }, 1);
  await embedder.embed(['text'], 'passage');
  expect(stub.seen.length - before).toBe(2);
});
