import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { advanceUntil, openSimulated, SimulatedService, texts } from './remote-fixtures.ts';

/** Embeds until `requests` full requests are through, with a backlog all the time. */
async function saturate(service: SimulatedService, clock: FakeClock, requests: number, options = {}) {
  await using embedder = await openSimulated(clock, service, options);
  const tookMs = await advanceUntil(clock, embedder.embed(texts(8 * requests), 'passage'), 1_000);
  return { tookMs, concurrency: embedder.concurrency };
}

describe('requests in flight', () => {
  it.each([1, 2, 4, 8, 16])('settle a little above what a server works on at once: %i streams', async (streams) => {
    const clock = new FakeClock();
    const service = Object.assign(new SimulatedService(clock), { streams });
    const { concurrency } = await saturate(service, clock, 100 * streams);
    expect(concurrency).toBeGreaterThan(streams);
    expect(concurrency).toBeLessThanOrEqual(Math.max(streams + 4, 2 * streams));
    const firstMs = service.requests[0]?.atMs ?? 0;
    const idealMs = (service.requests.length * service.callMs) / streams;
    const lastMs = (service.requests.at(-1)?.atMs ?? 0) + 2 * service.callMs;
    expect((lastMs - firstMs) / idealMs).toBeLessThan(1.06);
  });

  it('stay below what a server refuses, so that refusals are rare and no text fails', async () => {
    const clock = new FakeClock();
    const service = Object.assign(new SimulatedService(clock), { streams: 16, permits: 6 });
    const { concurrency } = await saturate(service, clock, 600);
    expect(concurrency).toBeLessThanOrEqual(6);
    expect(concurrency).toBeGreaterThanOrEqual(4);
    expect(service.refused / service.requests.length).toBeLessThan(0.02);
  });

  it('do not exceed the configured limit', async () => {
    const clock = new FakeClock();
    const service = Object.assign(new SimulatedService(clock), { streams: 16 });
    await saturate(service, clock, 200, { maxConcurrency: 3 });
    expect(service.maxInFlight).toBe(3);
  });

  it('do not run away when the server becomes slower for good', async () => {
    const clock = new FakeClock();
    const service = Object.assign(new SimulatedService(clock), { streams: 4 });
    await using embedder = await openSimulated(clock, service);
    await advanceUntil(clock, embedder.embed(texts(8 * 400), 'passage'), 1_000);
    service.callMs = 300;
    await advanceUntil(clock, embedder.embed(texts(8 * 2_000), 'passage'), 1_000);
    expect(embedder.concurrency).toBeGreaterThan(4);
    expect(embedder.concurrency).toBeLessThanOrEqual(8);
  });

  it('grow only when they were all used: a trickle says nothing about the server', async () => {
    const clock = new FakeClock();
    const service = Object.assign(new SimulatedService(clock), { streams: 16 });
    await using embedder = await openSimulated(clock, service);
    for (let i = 0; i < 50; i++) await advanceUntil(clock, embedder.embed([`text ${i}`], 'passage'), 100);
    expect(embedder.concurrency).toBe(4);
  });
});

describe('a limit', () => {
  it('is cut once for all refusals of a round', () => {
    const limit = new ConcurrencyLimit({ max: 64, clock: new FakeClock() });
    const reply = (): void =>
      limit.onReply({ tookMs: 100, tokens: 1_000, inFlight: limit.current, generation: limit.generation });
    limit.onReply({ tookMs: 100, tokens: 1_000, inFlight: 1, generation: limit.generation });
    for (let i = 0; i < 20; i++) reply();
    const before = limit.current;
    expect(before).toBeGreaterThanOrEqual(8);
    const { generation } = limit;
    for (let i = 0; i < before; i++) limit.onOverload(generation);
    expect(limit.current).toBe(Math.floor(before * 0.7));
  });

  it('never falls below one request', () => {
    const limit = new ConcurrencyLimit({ max: 8, clock: new FakeClock() });
    for (let i = 0; i < 10; i++) limit.onOverload(limit.generation);
    expect(limit.current).toBe(1);
  });
});
