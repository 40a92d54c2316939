import { describe, expect, test } from 'vitest';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { RemoteReranker } from './remote-reranker.ts';
import type { RerankEndpoint, RerankOutcome, RerankService } from './rerank-endpoint.ts';

const SERVICE: RerankService = { kind: 'service', model: 'm', maxTexts: 4, maxQueryTokens: 512, maxTextTokens: 2_048 };
const FAILED: RerankOutcome = { kind: 'failed', reason: 'ECONNRESET', retryAfterMs: undefined };
const timeoutMs = 500;
const never = new AbortController().signal;
const THREE = ['a', 'bb', 'ccc'];

type Step = RerankOutcome | 'hang' | undefined;

/** Scores a text by its length, unless the script says otherwise. */
class ScriptedEndpoint implements RerankEndpoint {
  readonly name = 'scripted';
  readonly sent: (readonly string[])[] = [];
  readonly script: Step[] = [];
  always: Step;
  described = 0;
  service: RerankService = SERVICE;
  hanging = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async describe(): Promise<RerankService> {
    this.described++;
    return this.service;
  }

  async send(_query: string, texts: readonly string[], signal: AbortSignal): Promise<RerankOutcome> {
    this.sent.push(texts);
    const step = this.always ?? this.script.shift();
    if (step === 'hang') {
      this.hanging++;
      await this.#clock.sleep(1e12, signal).finally(() => this.hanging--);
    } else if (step) return step;
    return { kind: 'scores', scores: texts.map((text, index) => ({ index, score: text.length })).toReversed() };
  }
}

function opened({ maxConcurrency = 2, logger = silentLogger }: { maxConcurrency?: number; logger?: Logger } = {}) {
  const clock = new FakeClock();
  const endpoint = new ScriptedEndpoint(clock);
  const reranker = new RemoteReranker(endpoint, { maxConcurrency, clock, random: () => 1, logger });
  const score = (texts: readonly string[] = THREE, signal = never) =>
    reranker.score({ query: 'q', texts, timeoutMs }, signal);
  /** What a call fails with; `scored` when it does not. */
  const failure = (texts?: readonly string[]) =>
    score(texts).then(
      () => 'scored',
      (error: unknown) => (error instanceof RerankerUnavailable ? error.failure : error),
    );
  return { clock, endpoint, reranker, score, failure };
}

describe('time', () => {
  test('a server that hangs costs the time limit and no more, and its slot is free afterwards', async () => {
    const { clock, endpoint, reranker, failure, score } = opened();
    endpoint.script.push('hang');
    const late = failure();
    await clock.advance(timeoutMs - 1);
    expect({ underWay: reranker.underWay, hanging: endpoint.hanging }).toEqual({ underWay: 1, hanging: 1 });
    await clock.advance(1);
    expect(await late).toBe('timeout');
    expect({ underWay: reranker.underWay, hanging: endpoint.hanging }).toEqual({ underWay: 0, hanging: 0 });
    expect(await score()).toEqual([1, 2, 3]);
    expect(clock.sleeping).toBe(0);
  });

  test('a caller who leaves frees the slot at once, ends the request and says nothing about the server', async () => {
    const { endpoint, reranker, score, failure } = opened({ maxConcurrency: 1 });
    const reason = new Error('gone');
    for (let i = 0; i < 20; i++) {
      endpoint.script.push('hang');
      const caller = new AbortController();
      const left = score(THREE, caller.signal);
      await new Promise(setImmediate);
      expect(endpoint.hanging).toBe(1);
      caller.abort(reason);
      await expect(left).rejects.toBe(reason);
      expect({ underWay: reranker.underWay, hanging: endpoint.hanging }).toEqual({ underWay: 0, hanging: 0 });
    }
    expect(await failure()).toBe('scored');
  });

  test('waiting for a slot counts, says nothing about the server, and too many do not wait at all', async () => {
    const { clock, endpoint, reranker, failure } = opened({ maxConcurrency: 1 });
    endpoint.script.push('hang');
    const holder = new AbortController();
    const held = reranker.score({ query: 'q', texts: THREE, timeoutMs: 10_000 }, holder.signal);
    for (let round = 0; round < 2; round++) {
      const waiting = Array.from({ length: 5 }, () => failure());
      expect(await waiting[4]).toBe('busy');
      await clock.advance(timeoutMs);
      expect(await Promise.all(waiting.slice(0, 4))).toEqual(Array(4).fill('timeout'));
    }
    expect(endpoint.sent).toHaveLength(1);
    holder.abort(new Error('gone'));
    await expect(held).rejects.toThrow('gone');
    expect(await failure()).toBe('scored');
  });
});

describe('a server that fails', () => {
  test('is asked once per call, is left alone after five in a row, and is tried by one call after the pause', async () => {
    const { clock, endpoint, failure } = opened();
    endpoint.always = FAILED;
    const failures = [];
    for (let i = 0; i < 8; i++) failures.push(await failure());
    expect(failures).toEqual([...Array<string>(5).fill('failed'), 'down', 'down', 'down']);
    expect(endpoint.sent).toHaveLength(5);
    endpoint.always = undefined;
    await clock.advance(500);
    endpoint.script.push('hang');
    const trial = failure();
    await new Promise(setImmediate);
    expect(await failure()).toBe('down');
    await clock.advance(timeoutMs);
    expect(await trial).toBe('timeout');
    expect(await failure()).toBe('down');
    await clock.advance(1_000);
    expect([await failure(), await failure()]).toEqual(['scored', 'scored']);
  });

  test('says so once per pause, with the reason', async () => {
    const lines: [string, unknown][] = [];
    const keep = (message: string, fields?: unknown) => void lines.push([message, fields]);
    const { endpoint, failure } = opened({ logger: { ...silentLogger, warn: keep } });
    endpoint.always = { kind: 'forbidden', reason: 'status 401' };
    for (let i = 0; i < 9; i++) await failure();
    expect(lines).toHaveLength(1);
    expect(lines[0]?.[1]).toMatchObject({ reranker: 'scripted', failure: 'forbidden', pauseMs: 500 });
    expect(JSON.stringify(lines[0]?.[1])).toContain('status 401');
  });

  test('is asked for its limits again afterwards, since another may have come back', async () => {
    const { endpoint, score, failure } = opened();
    await score();
    endpoint.script.push(FAILED, { kind: 'refused', reason: 'status 413' });
    expect(await failure()).toBe('failed');
    endpoint.service = { ...SERVICE, maxTexts: 3 };
    expect(await failure()).toBe('refused');
    endpoint.service = { ...SERVICE, maxTexts: 2 };
    expect(await score()).toEqual([1, 2, 3]);
    expect({ described: endpoint.described, last: endpoint.sent.slice(-2) }).toEqual({
      described: 3,
      last: [['a', 'bb'], ['ccc']],
    });
  });

  test('gets the pause that it asks for', async () => {
    const { clock, endpoint, failure } = opened();
    endpoint.script.push({ kind: 'overloaded', reason: 'status 429', retryAfterMs: 2_000 });
    expect([await failure(), await failure()]).toEqual(['overloaded', 'overloaded']);
    await clock.advance(1_999);
    expect(await failure()).toBe('overloaded');
    await clock.advance(600);
    expect(await failure()).toBe('scored');
    expect(endpoint.sent).toHaveLength(2);
  });

  test('and asks for a pause is not sent what waited meanwhile', async () => {
    const { endpoint, failure } = opened({ maxConcurrency: 1 });
    endpoint.script.push({ kind: 'overloaded', reason: 'status 429', retryAfterMs: undefined });
    expect(await Promise.all([failure(), failure(), failure()])).toEqual(Array(3).fill('overloaded'));
    expect(endpoint.sent).toHaveLength(1);
  });

  test('and refuses texts is not down: the next query may fit', async () => {
    const { endpoint, failure } = opened();
    endpoint.always = { kind: 'refused', reason: 'status 413' };
    for (let i = 0; i < 10; i++) expect(await failure()).toBe('refused');
    expect(endpoint.sent).toHaveLength(10);
  });
});

describe('more texts than a request holds', () => {
  const ten = Array.from({ length: 10 }, (_, i) => 'x'.repeat((i * 7) % 10));

  test('go in several, and every text gets its own score', async () => {
    const { endpoint, score } = opened();
    expect(await score(ten)).toEqual(ten.map((text) => Math.max(1, text.length))); // an empty text is sent as a blank
    expect(endpoint.sent.map((texts) => texts.length)).toEqual([4, 4, 2]);
  });

  test('have no scores when one request fails, and the others are given up', async () => {
    const { endpoint, reranker, failure } = opened();
    endpoint.script.push('hang', FAILED, 'hang');
    expect(await failure(ten)).toBe('failed');
    await new Promise(setImmediate);
    expect({ hanging: endpoint.hanging, underWay: reranker.underWay }).toEqual({ hanging: 0, underWay: 0 });
  });
});

test('closing ends what is under way', async () => {
  const { endpoint, reranker, failure } = opened();
  endpoint.script.push('hang');
  const pending = failure();
  await new Promise(setImmediate);
  await reranker[Symbol.asyncDispose]();
  expect([await pending, await failure()]).toEqual(['failed', 'failed']);
  expect({ hanging: endpoint.hanging, sent: endpoint.sent.length }).toEqual({ hanging: 0, sent: 1 });
});
