import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { EmbedderUnavailable, ModelMismatch } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { startOpenAiStub, type EmbeddingStub } from '../../test/support/openai-stub.ts';
import { startTeiStub } from '../../test/support/tei-stub.ts';
import { embedderConformance } from './embedder.conformance.ts';
import { openOpenAiEmbedder, readReply } from './openai-embedder.ts';

const parts = {
  clock: systemClock,
  random: () => 0.5,
  logger: silentLogger,
  timeoutMs: 10_000,
  model: 'text-embedding-3-small',
  tokenizer: { kind: 'approximate' },
} as const;

describe('over a stub of an OpenAI-compatible service', () => {
  let stub: EmbeddingStub;
  beforeAll(async () => {
    stub = await startOpenAiStub({ apiKey: 'sk-test' });
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  embedderConformance('openai', () => openOpenAiEmbedder({ ...parts, url: stub.url, apiKey: 'sk-test' }));

  it('refuses a wrong key as something that an operator mends, without the key in the message', async () => {
    const opening = openOpenAiEmbedder({ ...parts, url: stub.url, apiKey: 'sk-wrong', random: () => 0 });
    const error = await opening.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EmbedderUnavailable);
    expect((error as Error).message).toMatch(/status 401/);
    expect((error as Error).message).not.toContain('sk-wrong');
  });
});

describe('over TEI by its OpenAI route', () => {
  it('vectors are those of the native route', async () => {
    await using tei = await startTeiStub();
    await using embedder = await openOpenAiEmbedder({ ...parts, url: `${tei.url}/v1`, maxBatchTexts: 32 });
    const texts = ['The backup runs every night.', 'Whisk three eggs.'];
    const native = await fetch(`${tei.url}/embed`, { method: 'POST', body: JSON.stringify({ inputs: texts }) });
    const vectors = (await native.json()) as number[][];
    const mine = await embedder.embed(texts, 'passage');
    mine.forEach((vector, i) => vectors[i]!.forEach((value, axis) => expect(vector[axis]).toBeCloseTo(value, 6)));
  });
});

it('binds vectors to texts by index, whatever order they come in', async () => {
  await using stub = await startOpenAiStub();
  await using embedder = await openOpenAiEmbedder({ ...parts, url: stub.url });
  const texts = ['one apple', 'two pears', 'three plums'];
  const right = await embedder.embed(texts, 'passage');
  stub.inject({ kind: 'swapped' });
  expect(await embedder.embed(texts, 'passage')).toEqual(right);
});

it('understands a compatible server that answers with numbers instead of base64', async () => {
  await using stub = await startOpenAiStub({ base64: false });
  await using embedder = await openOpenAiEmbedder({ ...parts, url: stub.url });
  expect(await embedder.embed(['text'], 'passage')).toHaveLength(1);
});

it('asks for shorter vectors where the model can make them, and refuses to open when it does not', async () => {
  await using stub = await startOpenAiStub();
  await using embedder = await openOpenAiEmbedder({ ...parts, url: stub.url, dimensions: 64 });
  expect(embedder.model.dimensions).toBe(64);
  stub.inject({ kind: 'wrong-dimension', dimensions: 256 });
  await expect(openOpenAiEmbedder({ ...parts, url: stub.url, dimensions: 64 })).rejects.toThrow(ModelMismatch);
});

it('a reply that names another model ends the embedder for good', async () => {
  await using stub = await startOpenAiStub();
  await using embedder = await openOpenAiEmbedder({ ...parts, url: stub.url });
  stub.become('text-embedding-4-small');
  await expect(embedder.embed(['text'], 'passage')).rejects.toThrow(ModelMismatch);
  stub.become('text-embedding-3-small');
  await expect(embedder.embed(['text'], 'passage')).rejects.toThrow(ModelMismatch);
});

it('cuts a text that is longer than the model reads, because the service would refuse it', async () => {
  await using stub = await startOpenAiStub();
  await using embedder = await openOpenAiEmbedder({ ...parts, url: stub.url, maxInputTokens: 4 });
  await embedder.embed(['a b c d e f'], 'passage');
  expect(stub.seen.at(-1)?.texts).toEqual(['a b c d ']);
});

const vector = [3, 4];
it.each([
  ['no data', {}],
  ['too few', { data: [{ index: 0, embedding: vector }] }],
  ['an index twice', { data: [0, 0].map((index) => ({ index, embedding: vector })) }],
  ['an index beyond the texts', { data: [0, 2].map((index) => ({ index, embedding: vector })) }],
  ['no index', { data: [0, 1].map(() => ({ embedding: vector })) }],
  ['an embedding that is neither', { data: [0, 1].map((index) => ({ index, embedding: {} })) }],
  ['a null', null],
])('a reply with %s is no reply to use', (_, reply) => {
  expect(readReply(reply, 2).kind).toBe('unusable');
});
