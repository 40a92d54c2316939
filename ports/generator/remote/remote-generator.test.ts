import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../runtime/metrics.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { extractiveGenerator } from '../extractive-generator.ts';
import { fallbackGenerator } from '../fallback-generator.ts';
import type { RequestFailure } from '../../remote/request-failure.ts';
import { ChatFailure, type ChatDelta, type ChatEndpoint } from './chat-endpoint.ts';
import { GENERATOR_OPTIONS, LOCK_QUESTION, tell } from './chat-fixtures.ts';
import { RemoteGenerator, type RemoteGeneratorOptions } from './remote-generator.ts';

type Step = ChatDelta | RequestFailure | { readonly kind: 'sleep'; readonly ms: number };

const ANSWER: readonly Step[] = [
  { kind: 'alive' },
  { kind: 'text', text: 'A job lock is held for 30 seconds. [1]' },
  { kind: 'finish', reason: 'stop' },
  { kind: 'usage', promptTokens: 1_000_000, completionTokens: 500_000 },
];
const FAILED: RequestFailure = { kind: 'failed', reason: 'status 500', retryAfterMs: undefined };
const SILENT: Step = { kind: 'sleep', ms: 1e9 };

/** A server in simulated time: each request takes the next script, or the last one again. */
class SimulatedServer implements ChatEndpoint {
  readonly name = 'simulated';
  readonly model = 'sim';
  readonly askedAtMs: number[] = [];
  readonly #clock: FakeClock;
  readonly #scripts: readonly (readonly Step[])[];
  left = 0;

  constructor(clock: FakeClock, scripts: readonly (readonly Step[])[]) {
    this.#clock = clock;
    this.#scripts = scripts;
  }

  async *stream(_request: unknown, signal: AbortSignal): AsyncIterable<ChatDelta> {
    const script = this.#scripts[this.askedAtMs.length] ?? this.#scripts.at(-1) ?? [];
    this.askedAtMs.push(this.#clock.monotonicMs());
    try {
      for (const step of script) {
        if (step.kind === 'sleep') await this.#clock.sleep(step.ms, signal);
        else if ('reason' in step && step.kind !== 'finish') throw new ChatFailure(step);
        else yield step;
      }
    } finally {
      if (signal.aborted) this.left++;
    }
  }

  async probe(): Promise<string> {
    return 'serves sim';
  }
}

function open(scripts: readonly (readonly Step[])[], options: Partial<RemoteGeneratorOptions> = {}) {
  const clock = new FakeClock(0);
  const metrics = createMetrics();
  const server = new SimulatedServer(clock, scripts);
  const generator = new RemoteGenerator({ ...GENERATOR_OPTIONS, endpoint: server, clock, metrics, ...options });
  /** Runs until the answer has ended; no time passes but what it sleeps. */
  const told = async (answer = tell(generator)) => {
    let ended = false;
    void answer.then(() => (ended = true));
    for (let i = 0; i < 1_000 && !ended; i++) await clock.advance(100);
    return answer;
  };
  const outcomes = async () =>
    Object.fromEntries(
      (await metrics.generateRequests.get()).values.map(({ labels, value }) => [labels['outcome'], value]),
    );
  return { clock, metrics, server, generator, told, outcomes };
}

describe('a remote generator', () => {
  test('gives up on a server without a sign of life, and repeats nothing when the time is over', async () => {
    const { told, server, generator, clock } = open([[SILENT]], { timeoutMs: 5_000 });
    expect(await told()).toMatchObject({ events: [], error: { code: 'FRESHET_GENERATOR_UNAVAILABLE' } });
    expect(clock.monotonicMs()).toBeLessThan(5_500);
    expect(server).toMatchObject({ askedAtMs: [0], left: 1 });
    expect(generator.inFlight).toBe(0);
  });

  test('gives up on a server that stalls between two tokens, and says so after the first of them', async () => {
    const { told, server, outcomes } = open([[{ kind: 'text', text: 'A job' }, SILENT]], { stallMs: 3_000 });
    const { text, error } = await told();
    expect(text).toBe('A job');
    expect(error).toMatchObject({ message: expect.stringContaining('silent for 3000 ms') });
    expect(server.left).toBe(1);
    expect(await outcomes()).toEqual({ broken: 1 });
  });

  test('a slow server is no dead one', async () => {
    const slow = ANSWER.flatMap((step) => [{ kind: 'sleep', ms: 2_000 } as const, step]);
    expect(await open([slow], { timeoutMs: 5_000, stallMs: 3_000 }).told()).toMatchObject({ error: undefined });
  });

  test('waits as long as a busy server asks for', async () => {
    const { told, server } = open([[{ kind: 'overloaded', reason: 'status 429', retryAfterMs: 4_000 }], ANSWER]);
    expect(await told()).toMatchObject({ error: undefined });
    expect(server.askedAtMs[1]).toBeGreaterThanOrEqual(4_000);
  });

  test('does not wait when the first token would be too late then', async () => {
    const busy: RequestFailure = { kind: 'overloaded', reason: 'status 503', retryAfterMs: 60_000 };
    const { told, server, clock } = open([[busy], ANSWER]);
    expect(await told()).toMatchObject({ error: { retryAfterSeconds: 60 } });
    expect(server.askedAtMs).toEqual([0]);
    expect(clock.monotonicMs()).toBeLessThan(500);
  });

  test('repeats nothing of which a word was sent', async () => {
    const { told, server } = open([[{ kind: 'text', text: 'A job' }, FAILED], ANSWER]);
    expect(await told()).toMatchObject({ text: 'A job', error: { code: 'FRESHET_GENERATOR_UNAVAILABLE' } });
    expect(server.askedAtMs).toHaveLength(1);
  });

  test('leaves a server alone that fails again and again, and tries it with one request later', async () => {
    const { told, server, clock } = open([...Array<readonly Step[]>(5).fill([FAILED]), ANSWER]);
    await told();
    await told();
    expect(server.askedAtMs).toHaveLength(5);
    expect(await told()).toMatchObject({ error: { message: expect.stringContaining('left alone') } });
    expect(server.askedAtMs).toHaveLength(5);
    await clock.advance(30_000);
    expect(await told()).toMatchObject({ error: undefined });
  });

  test('lets so many work, so many wait, and nobody else', async () => {
    const working = [{ kind: 'sleep', ms: 1_000 } as const, ...ANSWER];
    const { told, server, generator, metrics } = open([working], { maxConcurrent: 1, maxWaiting: 1 });
    const [first, second, third] = [tell(generator), tell(generator), tell(generator)];
    expect(await third).toMatchObject({ error: { code: 'FRESHET_OVERLOADED', status: 429 } });
    expect((await metrics.generateWaiting.get()).values[0]?.value).toBe(1);
    expect(await told(first)).toMatchObject({ error: undefined });
    expect(await told(second)).toMatchObject({ error: undefined });
    expect(server.askedAtMs[1]).toBeGreaterThanOrEqual(1_000);
    expect((await metrics.generateWaiting.get()).values[0]?.value).toBe(0);
    expect(generator.inFlight).toBe(0);
  });

  test('who goes away while waiting leaves the queue, and who waits too long is told', async () => {
    const { told, generator, clock } = open([[SILENT]], { maxConcurrent: 1, timeoutMs: 2_000, stallMs: 2_000 });
    const first = tell(generator);
    const caller = new AbortController();
    const second = tell(generator, LOCK_QUESTION, caller.signal);
    await clock.advance(1);
    const reason = new Error('gone');
    caller.abort(reason);
    expect((await second).error).toBe(reason);
    const third = tell(generator);
    await told(first);
    expect((await told(third)).error).toMatchObject({ code: expect.stringMatching(/OVERLOADED|UNAVAILABLE/) });
    expect(generator.inFlight).toBe(0);
  });

  test('counts requests, tokens and cost, also of an answer that broke off', async () => {
    const { told, metrics, outcomes } = open([[...ANSWER.slice(0, 2), SILENT], ANSWER], {
      promptPriceUsd: 2,
      completionPriceUsd: 8,
    });
    await told();
    const { events } = await told();
    expect(events.at(-1)).toMatchObject({ usage: { promptTokens: 1_000_000, costUsd: 6 } });
    expect(await outcomes()).toEqual({ broken: 1, answered: 1 });
    expect((await metrics.generateCost.get()).values[0]?.value).toBeGreaterThan(6);
    const tokens = (await metrics.generateTokens.get()).values;
    expect(tokens.find(({ labels }) => labels.kind === 'completion')?.value).toBe(500_010);
  });
});

describe('a generator with others behind it', () => {
  const behind = (scripts: readonly (readonly Step[])[], ...others: RemoteGenerator[]) => {
    const opened = open(scripts);
    const { metrics } = opened;
    const generator = fallbackGenerator(opened.generator, [...others, extractiveGenerator()], {
      logger: GENERATOR_OPTIONS.logger,
      metrics,
    });
    return { ...opened, generator, told: () => opened.told(tell(generator)) };
  };

  test('lets the next one answer that can, and names it', async () => {
    const forbidden: RequestFailure = { kind: 'forbidden', reason: 'status 401' };
    const { told, metrics } = behind([[forbidden]], open([ANSWER]).generator);
    const { text, events } = await told();
    expect(text).toContain('A job lock is held for 30 seconds.');
    expect(events.at(-1)).toMatchObject({ model: 'sim', prompt: 'grounded-answer/1' });
    expect((await metrics.generateFallbacks.get()).values).toMatchObject([{ labels: { generator: 'sim' }, value: 1 }]);
  });

  test('quotes when no server can answer', async () => {
    const { events, text } = await behind(
      [[FAILED]],
      open([[{ kind: 'refused', reason: 'status 400' }]]).generator,
    ).told();
    expect(text).toContain('A job lock is held for 30 seconds before it expires.');
    expect(events.at(-1)).toMatchObject({ kind: 'done', refused: false, model: 'extractive' });
  });

  test('does not mix two answers', async () => {
    const { told } = behind([[{ kind: 'text', text: 'A job' }, FAILED]], open([ANSWER]).generator);
    expect(await told()).toMatchObject({ text: 'A job', error: { code: 'FRESHET_GENERATOR_UNAVAILABLE' } });
  });

  test('asks nobody else for a caller who went away', async () => {
    const { generator, metrics } = behind([[SILENT]]);
    const caller = new AbortController();
    const answer = tell(generator, LOCK_QUESTION, caller.signal);
    await new Promise(setImmediate);
    const reason = new Error('gone');
    caller.abort(reason);
    expect(await answer).toMatchObject({ error: reason, events: [] });
    expect((await metrics.generateFallbacks.get()).values).toEqual([]);
  });
});
