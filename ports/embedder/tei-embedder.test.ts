import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { EmbedderUnavailable, EmbeddingInvalid, ModelMismatch } from '../../runtime/errors.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import type { EmbeddingFault } from '../../test/support/embedding-faults.ts';
import { startTeiStub, type TeiStub, type TeiStubOptions } from '../../test/support/tei-stub.ts';
import { embedderConformance } from './embedder.conformance.ts';
import { openTeiEmbedder, type TeiEmbedderOptions } from './tei-embedder.ts';

const parts = { clock: systemClock, random: () => 0.5, logger: silentLogger, timeoutMs: 10_000 };
const TEXTS = ['The backup runs every night.', 'Whisk three eggs into the flour.', 'Rivers freeze.', 'A late train.'];

async function open(stubOptions: TeiStubOptions = {}, options: Partial<TeiEmbedderOptions> = {}) {
  const stub = await startTeiStub({ dimensions: 64, ...stubOptions });
  onTestFinished(() => stub[Symbol.asyncDispose]());
  const embedder = await openTeiEmbedder({ ...parts, url: stub.url, tokenizer: { kind: 'bge' }, ...options });
  onTestFinished(() => embedder[Symbol.asyncDispose]());
  return { stub, embedder };
}

/** Keeps what was logged as an error. */
function alarms(): { readonly logger: Logger; readonly messages: string[] } {
  const messages: string[] = [];
  return { messages, logger: { ...silentLogger, error: (message) => void messages.push(message) } };
}

/** The real clock, whose monotonic time a test can push forward. */
function pushedClock(): Clock & { push(ms: number): void } {
  let pushedMs = 0;
  return {
    now: () => systemClock.now() + pushedMs,
    monotonicMs: () => systemClock.monotonicMs() + pushedMs,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
    push: (ms) => (pushedMs += ms),
  };
}

describe('over a stub of text-embeddings-inference', () => {
  let stub: TeiStub;
  beforeAll(async () => {
    stub = await startTeiStub();
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  embedderConformance('tei', () => openTeiEmbedder({ ...parts, url: stub.url, tokenizer: { kind: 'bge' } }));
});

describe('opening', () => {
  it('takes model, size and limits from the server', async () => {
    const { stub, embedder } = await open({ info: { max_client_batch_size: 5, max_input_length: 128 } });
    expect(embedder.model).toMatchObject({ name: 'BAAI/bge-small-en-v1.5', dimensions: 64, maxTokens: 126 });
    await embedder.embed(
      Array.from({ length: 23 }, (_, i) => `text ${i}`),
      'passage',
    );
    expect(Math.max(...stub.counters.batches)).toBeLessThanOrEqual(5);
  });

  it('gives another fingerprint to another commit, precision, pooling, size or prefix, and to nothing else', async () => {
    const fingerprint = async (stubOptions: TeiStubOptions, options: Partial<TeiEmbedderOptions> = {}) =>
      (await open(stubOptions, options)).embedder.model.fingerprint;
    const variants = await Promise.all([
      fingerprint({}),
      fingerprint({ info: { model_sha: 'another' } }),
      fingerprint({ info: { model_dtype: 'float32' } }),
      fingerprint({ info: { model_type: { embedding: { pooling: 'mean' } } } }),
      fingerprint({ dimensions: 32 }),
      fingerprint({}, { queryPrefix: 'query: ' }),
      fingerprint({}, { passagePrefix: 'passage: ' }),
    ]);
    expect(new Set(variants).size).toBe(variants.length);
    expect(await fingerprint({ info: { max_client_batch_size: 4 } }, { maxConcurrency: 2 })).toBe(variants[0]);
  });

  it('refuses a server whose model makes no vectors, and says so', async () => {
    await expect(open({ info: { model_type: { reranker: {} } } })).rejects.toThrow(/not a text embedding model/);
  });

  it('refuses a server that does not keep the order of texts', async () => {
    const stub = await startTeiStub();
    onTestFinished(() => stub[Symbol.asyncDispose]());
    stub.inject({ kind: 'swapped' });
    const opening = openTeiEmbedder({ ...parts, url: stub.url, tokenizer: { kind: 'bge' } });
    await expect(opening).rejects.toThrow(ModelMismatch);
  });

  it('says that nothing answers, where nothing does', async () => {
    const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms > 1_000 ? ms : 0, signal) };
    const opening = openTeiEmbedder({
      ...parts,
      clock,
      random: () => 0,
      url: 'http://127.0.0.1:9',
      tokenizer: { kind: 'bge' },
    });
    await expect(opening).rejects.toThrow(EmbedderUnavailable);
  });

  it('sends its key, and names the status when it is wrong', async () => {
    const { embedder } = await open({ apiKey: 'right' }, { apiKey: 'right' });
    expect(await embedder.embed(['text'], 'passage')).toHaveLength(1);
    const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms > 5_000 ? ms : 0, signal) };
    await expect(open({ apiKey: 'right' }, { apiKey: 'wrong', clock })).rejects.toThrow(/status 401/);
  });
});

describe('a reply with a fault, once', () => {
  it.each<[string, EmbeddingFault]>([
    ['of the wrong size', { kind: 'wrong-dimension', dimensions: 32 }],
    ['that holds half of the vectors', { kind: 'half' }],
    ['in another order', { kind: 'swapped' }],
    ['with a component that is no number', { kind: 'nan' }],
    ['that breaks off', { kind: 'cut', midway: true }],
    ['that never comes', { kind: 'cut', midway: false }],
    ['that is no JSON', { kind: 'garbage' }],
    ['500', { kind: 'status', status: 500 }],
    ['503 with Retry-After', { kind: 'status', status: 503, retryAfter: '0' }],
    ['429 with Retry-After', { kind: 'status', status: 429, retryAfter: '0' }],
    ['424, a failed inference', { kind: 'status', status: 424 }],
    ['whose vectors are too long', { kind: 'unscaled' }],
  ])('%s: no caller notices', async (_, fault) => {
    const { stub, embedder } = await open();
    const right = await embedder.embed(TEXTS, 'passage');
    stub.inject(fault, 1);
    const vectors = await embedder.embed(TEXTS, 'passage');
    vectors.forEach((vector, i) => vector.forEach((value, axis) => expect(value).toBeCloseTo(right[i]![axis]!, 5)));
  });
});

describe('a server that keeps failing', () => {
  it.each<[string, EmbeddingFault]>([
    ['gives vectors of the wrong size', { kind: 'wrong-dimension', dimensions: 32 }],
    ['leaves vectors out', { kind: 'half' }],
    ['gives components that are no numbers', { kind: 'nan' }],
    ['gives no JSON', { kind: 'garbage' }],
  ])('and %s: the texts are refused, after a bounded number of requests', async (_, fault) => {
    const { stub, embedder } = await open();
    const before = stub.counters.requests;
    stub.inject(fault);
    await expect(embedder.embed(['text'], 'passage')).rejects.toThrow(EmbeddingInvalid);
    expect(stub.counters.requests - before).toBeLessThanOrEqual(3);
    stub.heal();
    expect(await embedder.embed(['text'], 'passage')).toHaveLength(1);
  });

  it('and mixes up the order: no vector gets to a wrong text, and an operator is told once', async () => {
    const { logger, messages } = alarms();
    const { stub, embedder } = await open({}, { logger });
    const right = await embedder.embed(TEXTS, 'passage');
    stub.inject({ kind: 'swapped' });
    for (let round = 0; round < 3; round++) expect(await embedder.embed(TEXTS, 'passage')).toEqual(right);
    expect(messages).toEqual([expect.stringContaining('another order')]);
  });
});

describe('a model that changes behind the address', () => {
  it('is found when a connection failed: its vectors are not used, and the embedder ends with an alarm', async () => {
    const { logger, messages } = alarms();
    const { stub, embedder } = await open({}, { logger });
    stub.become({ model_sha: 'another' });
    stub.inject({ kind: 'cut', midway: false }, 1);
    await expect(embedder.embed(TEXTS, 'passage')).rejects.toThrow(ModelMismatch);
    await expect(embedder.embed(TEXTS, 'query')).rejects.toThrow(ModelMismatch);
    expect(messages).toEqual([expect.stringContaining('changed its model')]);
  });

  it('is found ten seconds later without a failure', async () => {
    const clock = pushedClock();
    const { stub, embedder } = await open({}, { clock });
    stub.become({ model_dtype: 'float32' });
    expect(await embedder.embed(['text'], 'passage')).toHaveLength(1);
    clock.push(10_000);
    await expect(embedder.embed(['text'], 'passage')).rejects.toThrow(ModelMismatch);
  });

  it('is not guessed at: while the server cannot say which model it serves, its vectors are not used', async () => {
    const clock = pushedClock();
    const { stub, embedder } = await open({}, { clock });
    await stub[Symbol.asyncDispose]();
    clock.push(10_000);
    const controller = new AbortController();
    const call = embedder.embed(['text'], 'passage', controller.signal);
    controller.abort(new Error('waited long enough'));
    await expect(call).rejects.toThrow('waited long enough');
  });
});

it('a text whose vector is not finite fails its own caller, not those that share its request', async () => {
  const { stub, embedder } = await open();
  stub.inject({ kind: 'nan-of', mark: 'poison' });
  const texts = [...TEXTS, 'poison'];
  const settled = await Promise.allSettled(texts.map((text) => embedder.embed([text], 'passage')));
  expect(settled.map(({ status }) => status)).toEqual([...TEXTS.map(() => 'fulfilled'), 'rejected']);
  expect(settled.at(-1)).toMatchObject({ reason: expect.any(EmbeddingInvalid) });
});

it('a text that the model cannot read whole is cut at a token', async () => {
  const { embedder } = await open({ info: { max_input_length: 10 } });
  const [long, short] = await embedder.embed(
    ['one two three four five six seven eight nine ten', 'one two three four five six seven eight'],
    'passage',
  );
  expect(long).toEqual(short);
});

it('a query gets its prefix and a passage gets its own', async () => {
  const { embedder } = await open({}, { queryPrefix: 'seek ', passagePrefix: 'keep ' });
  const [query] = await embedder.embed(['backup'], 'query');
  const plain = await open();
  const [prefixed] = await plain.embedder.embed(['seek backup'], 'passage');
  expect(query).toEqual(prefixed);
});

it('a server that refuses single texts for load takes lists: no request of ours is a single text', async () => {
  const { stub, embedder } = await open({ info: { max_concurrent_requests: 1 }, gpu: { callMs: 5, streams: 1 } });
  const calls = Array.from({ length: 20 }, (_, i) => embedder.embed([`text ${i}`], i % 2 ? 'query' : 'passage'));
  await Promise.all(calls);
  expect(stub.counters.refused).toBe(0);
});

it('a gateway that refuses beyond a number of requests is not stormed, and no document fails', async () => {
  const { stub, embedder } = await open({
    overload: 'refuse',
    info: { max_concurrent_requests: 3, max_client_batch_size: 4 },
    gpu: { callMs: 2, streams: 8 },
  });
  const texts = Array.from({ length: 600 }, (_, i) => `text ${i}`);
  expect(await embedder.embed(texts, 'passage')).toHaveLength(600);
  expect(stub.counters.refused).toBeLessThan(15);
});
