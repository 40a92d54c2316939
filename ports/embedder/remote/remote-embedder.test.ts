import { describe, expect, it } from 'vitest';
import { EmbedderUnavailable, EmbeddingInvalid } from '../../../runtime/errors.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { advanceUntil, DIMENSIONS, failed, openSimulated, SimulatedService, texts } from './remote-fixtures.ts';

async function rig(options = {}) {
  const clock = new FakeClock();
  const service = new SimulatedService(clock);
  const embedder = await openSimulated(clock, service, options);
  return { clock, service, embedder };
}

describe('requests', () => {
  it('are full while enough waits, and hold texts of several callers', async () => {
    const { clock, service, embedder } = await rig();
    const calls = Array.from({ length: 40 }, (_, i) => embedder.embed(texts(5, `call ${i}`), 'passage'));
    await advanceUntil(clock, Promise.all(calls), 100);
    const sizes = service.requests.map((request) => request.texts.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(200);
    expect(sizes.slice(0, -1).every((size) => size === 8)).toBe(true);
  });

  it('hold no more tokens than the service takes, padded to the longest text', async () => {
    const { clock, service, embedder } = await rig({ limits: { maxTexts: 8, maxTokens: 60 } });
    const mixed = Array.from({ length: 30 }, (_, i) => 'word '.repeat(1 + (i % 10) * 2).trim());
    await advanceUntil(clock, embedder.embed(mixed, 'passage'), 100);
    for (const request of service.requests) {
      const longest = Math.max(...request.texts.map((text) => text.split(' ').length + 2));
      expect(longest * request.texts.length).toBeLessThanOrEqual(60);
    }
  });

  it('hold texts of like length, so that little is padded', async () => {
    const { clock, service, embedder } = await rig({ limits: { maxTexts: 4, maxTokens: 10_000 } });
    const mixed = Array.from({ length: 32 }, (_, i) => 'word '.repeat(1 + (i % 8) * 10).trim());
    await advanceUntil(clock, embedder.embed(mixed, 'passage'), 100);
    const spreads = service.requests.map((request) => {
      const lengths = request.texts.map((text) => text.length);
      return Math.max(...lengths) - Math.min(...lengths);
    });
    expect(spreads.filter((spread) => spread === 0).length).toBeGreaterThanOrEqual(6);
  });

  it('of queries overtake passages that wait', async () => {
    const { clock, service, embedder } = await rig();
    const passages = embedder.embed(texts(800), 'passage');
    await clock.advance(150);
    const askedMs = clock.monotonicMs();
    await advanceUntil(clock, embedder.embed(['what is fresh'], 'query'));
    const query = service.requests.find(({ kind }) => kind === 'query');
    expect(query?.atMs).toBe(askedMs);
    await advanceUntil(clock, passages, 1_000);
  });

  it('never mix queries and passages', async () => {
    const { clock, service, embedder } = await rig();
    const both = [embedder.embed(['a question'], 'query'), embedder.embed(['a passage'], 'passage')];
    await advanceUntil(clock, Promise.all(both));
    expect(service.requests.map((request) => request.texts.length)).toEqual([1, 1]);
  });

  it('that nobody waits for any more are ended, and what still waited is not sent', async () => {
    const { clock, service, embedder } = await rig();
    const controller = new AbortController();
    const call = embedder.embed(texts(100), 'passage', controller.signal);
    await clock.advance(10);
    expect(service.inFlight).toBe(4);
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await clock.advance(1_000);
    expect(service.inFlight).toBe(0);
    expect(service.requests).toHaveLength(4);
  });
});

describe('a service that fails', () => {
  it('for a moment costs a repeated request and no caller', async () => {
    const { clock, service, embedder } = await rig();
    service.script.push(() => failed);
    await advanceUntil(clock, embedder.embed(texts(3), 'passage'));
    expect(service.requests).toHaveLength(2);
  });

  it('is given up after the time limit, not after its reply of 30 s', async () => {
    const { clock, service, embedder } = await rig({ timeoutMs: 5_000 });
    service.script.push(() => 'hang');
    const tookMs = await advanceUntil(clock, embedder.embed(texts(1), 'passage'), 100);
    expect(tookMs).toBeGreaterThanOrEqual(5_000);
    expect(tookMs).toBeLessThan(6_000);
  });

  it('for ever fails its callers as something to send again, after a bounded number of requests', async () => {
    const { clock, service, embedder } = await rig();
    service.always = () => failed;
    await expect(advanceUntil(clock, embedder.embed(texts(1), 'passage'), 100)).rejects.toThrow(EmbedderUnavailable);
    expect(service.requests.length).toBeLessThanOrEqual(6);
  });

  it('again and again is left alone: queries fail at once and say when to come back', async () => {
    const { clock, service, embedder } = await rig();
    service.always = () => failed;
    await advanceUntil(clock, embedder.embed(texts(1), 'passage'), 100).catch(() => undefined);
    const sent = service.requests.length;
    const error: unknown = await embedder.embed(['now'], 'query').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EmbedderUnavailable);
    expect((error as EmbedderUnavailable).retryAfterSeconds).toBeGreaterThan(0);
    expect(service.requests).toHaveLength(sent);
  });

  it('and recovers is found again by one trial request, and passages that waited are served', async () => {
    const { clock, service, embedder } = await rig();
    service.always = () => (service.requests.length <= 5 ? failed : undefined);
    const call = embedder.embed(texts(80), 'passage');
    await advanceUntil(clock, call, 100);
    expect(await call).toHaveLength(80);
  });

  it('with 429 and Retry-After gets nothing until then, and no text fails', async () => {
    const { clock, service, embedder } = await rig();
    service.script.push(() => ({ kind: 'overloaded', reason: 'status 429', retryAfterMs: 7_000 }));
    await advanceUntil(clock, embedder.embed(texts(8), 'passage'), 100);
    const [first, second] = service.requests;
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(7_000);
  });

  it('in a storm of 429 fails no text', async () => {
    const { clock, service, embedder } = await rig();
    let n = 0;
    service.always = () =>
      ++n % 10 === 0 ? undefined : { kind: 'overloaded', reason: 'status 429', retryAfterMs: undefined };
    const call = embedder.embed(texts(64), 'passage');
    await advanceUntil(clock, call, 1_000);
    expect(await call).toHaveLength(64);
  });

  it('a wrong key fails every caller at once, and nothing is repeated', async () => {
    const { clock, service, embedder } = await rig();
    service.always = () => ({ kind: 'forbidden', reason: 'status 401' });
    const calls = [embedder.embed(texts(40), 'passage'), embedder.embed(texts(40), 'passage')];
    const settled = Promise.allSettled(calls);
    await advanceUntil(clock, settled);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(service.requests.length).toBeLessThanOrEqual(4);
  });
});

describe('one text among others', () => {
  it('that is refused fails alone', async () => {
    const { clock, service, embedder } = await rig();
    service.always = (sent) =>
      sent.some((text) => text.includes('poison')) ? { kind: 'refused', reason: 'status 422' } : undefined;
    const calls = [...texts(15), 'poison'].map((text) => embedder.embed([text], 'passage'));
    const settled = Promise.allSettled(calls);
    await advanceUntil(clock, settled, 100);
    const failures = (await settled).flatMap((each, i) => (each.status === 'rejected' ? [[i, each.reason]] : []));
    expect(failures).toEqual([[15, expect.any(EmbeddingInvalid)]]);
    expect(String(failures[0]?.[1])).not.toContain('poison');
  });

  it('whose vector is not finite fails alone, and the others are not embedded again', async () => {
    const { clock, service, embedder } = await rig();
    service.spoil = (vectors, sent) =>
      vectors.map((vector, i) => (sent[i] === 'poison' ? vector.with(0, Number.NaN) : vector));
    const calls = [...texts(7), 'poison'].map((text) => embedder.embed([text], 'passage'));
    const settled = Promise.allSettled(calls);
    await advanceUntil(clock, settled, 100);
    expect((await settled).map(({ status }) => status)).toEqual([...Array<string>(7).fill('fulfilled'), 'rejected']);
    expect(service.requests.flatMap((request) => request.texts).filter((text) => text !== 'poison')).toHaveLength(7);
  });
});

it('a query that gets no reply is sent a second time, and the faster reply counts', async () => {
  const { clock, service, embedder } = await rig({ hedgeAfterMs: 250 });
  service.script.push(() => 'hang');
  const call = embedder.embed(['slow one'], 'query');
  const tookMs = await advanceUntil(clock, call);
  expect(tookMs).toBeLessThan(500);
  expect(service.requests).toHaveLength(2);
  expect(service.inFlight).toBe(0);
});

it('vectors that are not of unit length are scaled', async () => {
  const { clock, service, embedder } = await rig();
  service.spoil = (vectors) => vectors.map((vector) => vector.map((value) => value * 3));
  const call = embedder.embed(['one', 'two'], 'passage');
  await advanceUntil(clock, call);
  for (const vector of await call) {
    expect(vector).toHaveLength(DIMENSIONS);
    expect(vector.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
  }
});

it('closing fails who waits, ends what is in flight, and takes no more calls', async () => {
  const { clock, service, embedder } = await rig();
  const call = embedder.embed(texts(100), 'passage');
  await clock.advance(10);
  await embedder[Symbol.asyncDispose]();
  await expect(call).rejects.toThrow(EmbedderUnavailable);
  await expect(embedder.embed(['more'], 'passage')).rejects.toThrow(EmbedderUnavailable);
  await clock.advance(10);
  expect(service.inFlight).toBe(0);
  expect(clock.sleeping).toBe(0);
});
