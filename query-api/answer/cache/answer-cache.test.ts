import { describe, expect, test } from 'vitest';
import { memoryCache } from '../../../ports/cache/memory-cache.ts';
import type { Cache } from '../../../ports/cache/cache.ts';
import type { GenerateEvent, Generator } from '../../../ports/generator/generator.ts';
import type { AnswerResponse } from '../../../schemas/answer.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { articleKey, queryBench, type QueryBench, type QueryBenchOptions } from '../../../test/support/query-api.ts';

const TEXT = 'A job lock is held for 30 seconds.';
const QUESTION = 'How long is a job lock held?';
const usage = { promptTokens: 100, completionTokens: 10 };
const GOOD: readonly GenerateEvent[] = [
  { kind: 'token', text: 'For 30 ' },
  { kind: 'token', text: 'seconds. [1]' },
  { kind: 'citation', marker: 1, quote: '30 seconds' },
  { kind: 'done', refused: false, usage },
];

/** Writes what it is told, counts how often, and may wait at the start. */
class ScriptedGenerator implements Generator {
  readonly model = 'scripted';
  readonly prompt = 'test/1';
  asked = 0;
  events: readonly GenerateEvent[] = GOOD;
  onStart: (n: number) => Promise<void> | void = () => undefined;

  async *generate(_request: unknown, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    const n = ++this.asked;
    await this.onStart(n);
    for (const event of this.events) {
      signal.throwIfAborted();
      yield event;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A cache whose entries a test can look at and count. */
function watchedCache(clock: FakeClock): Cache & { entries(): Promise<string[]>; keys: Set<string> } {
  const inner = memoryCache({ maxBytes: 1_048_576, clock });
  const keys = new Set<string>();
  return {
    get: (asked, signal) => inner.get(asked, signal),
    set: (entries, signal) => {
      for (const { key } of entries) keys.add(key);
      return inner.set(entries, signal);
    },
    delete: (gone, signal) => inner.delete(gone, signal),
    deleteTagged: (tags, signal) => inner.deleteTagged(tags, signal),
    keys,
    entries: async () =>
      (await inner.get([...keys])).flatMap((value) => (value ? [Buffer.from(value).toString()] : [])),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

function rig(options: QueryBenchOptions = {}) {
  const clock = new FakeClock();
  const generator = new ScriptedGenerator();
  const cache = watchedCache(clock);
  const bench = queryBench({ clock, generator, answerCache: cache, ...options });
  return { clock, generator, cache, bench, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}

type Caller = { readonly tenant?: string; readonly groups?: string };

async function ask(
  { app }: QueryBench,
  question = QUESTION,
  { tenant = 'default', groups = '' }: Caller = {},
): Promise<AnswerResponse> {
  const headers = { 'x-freshet-tenant': tenant, 'x-freshet-groups': groups };
  const reply = await app.inject({ method: 'POST', url: '/v1/answer', headers, payload: { question } });
  return reply.json<AnswerResponse>();
}

const turn = () => new Promise(setImmediate);
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

describe('an answer that was written', () => {
  test('is given again with the times and the trace of the request, at no cost', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    await world.bench.advance('help', '0/1');
    const first = await ask(world.bench);
    await world.bench.advance('help', '0/2');
    const second = await ask(world.bench, `  ${QUESTION}\n`);
    expect(first).toMatchObject({ answer: 'For 30 seconds. [1]', cached: false, usage });
    expect(second).toEqual({
      ...first,
      cached: true,
      asOf: { help: { position: '0/2', committedAt: world.clock.now() } },
      usage: { promptTokens: 0, completionTokens: 0 },
      traceId: second.traceId,
    });
    expect(second.traceId).not.toBe(first.traceId);
    expect(world.generator.asked).toBe(1);
    const requests = await world.bench.metrics.cacheRequests.get();
    expect(requests.values.map(({ labels, value }) => [labels.cache, labels.result, value])).toEqual([
      ['answers', 'miss', 1],
      ['answers', 'hit', 1],
    ]);
  });

  test('is streamed again as the events that it was sent in', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    const stream = async () => {
      const payload = { question: QUESTION, stream: true };
      const { body } = await world.bench.app.inject({ method: 'POST', url: '/v1/answer', payload });
      return [...body.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => [event, JSON.parse(data!)]);
    };
    await stream();
    const again = await stream();
    expect(again.map(([event]) => event)).toEqual(['retrieval', 'token', 'citation', 'done']);
    expect(again[1]).toEqual(['token', { text: 'For 30 seconds. [1]' }]);
    expect(again[2]?.[1]).toMatchObject({ marker: 1, quote: '30 seconds', documentId: articleKey('1') });
    expect(again[3]?.[1]).toMatchObject({ cached: true });
  });

  test.each<readonly [string, (bench: QueryBench) => Promise<unknown>]>([
    ['its document is changed', (bench) => bench.index({ key: '1', text: `${TEXT} Or more.`, version: 2 })],
    [
      'its document has a newer version with the same text',
      (bench) => bench.index({ key: '1', text: TEXT, version: 2 }),
    ],
    ['its document is closed to others', (bench) => bench.index({ key: '1', text: TEXT, acl: ['staff'], version: 2 })],
    ['a document that was found beside it is deleted', (bench) => bench.remove('2')],
    [
      'a new document ranks',
      (bench) => bench.index({ key: '3', title: 'Job lock held', text: 'A job lock is held long.' }),
    ],
  ])('is not given again once %s', async (_, change) => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    await world.bench.index({ key: '2', text: 'A job may have a lock.' });
    await ask(world.bench);
    expect(await world.cache.entries()).toHaveLength(1);
    await change(world.bench);
    expect((await ask(world.bench)).cached).toBe(false);
    expect(world.generator.asked).toBe(2);
  });

  test.each(['update', 'delete', 'table'])(
    'lies in the cache no more when the write that took its document is done: %s',
    async (kind) => {
      await using world = rig();
      await world.bench.index({ key: '1', text: TEXT });
      await ask(world.bench);
      expect((await world.cache.entries()).join()).toContain('30 seconds');
      if (kind === 'update') await world.bench.index({ key: '1', text: 'Something else.', version: 2 });
      else if (kind === 'delete') await world.bench.remove('1');
      else {
        const stored = await world.bench.store.read([articleKey('1')]);
        const version = ((stored[0]?.version ?? 0n) + 1n) as NonNullable<(typeof stored)[0]>['version'];
        const range = { source: 'help', table: 'public.articles', version, lane: 'help/0', lanes: 1 };
        await world.bench.store.write([{ kind: 'remove-below', ...range }]);
      }
      expect(await world.cache.entries()).toEqual([]);
    },
  );

  test('ages', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    await ask(world.bench);
    await world.clock.advance(60_001);
    expect((await ask(world.bench)).cached).toBe(false);
  });
});

describe('S19: the same question of another caller', () => {
  test.each<readonly [string, Caller]>([
    ['of another tenant', { tenant: 'globex' }],
    ['with one group more', { groups: 'staff' }],
    ['with the group of operators', { groups: 'freshet-admin' }],
  ])('%s is never answered with what was written for somebody else', async (_, caller) => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    await world.bench.index({ key: '2', text: TEXT, tenant: 'globex' });
    await ask(world.bench);
    expect((await ask(world.bench, QUESTION, caller)).cached).toBe(false);
    expect((await ask(world.bench, QUESTION, caller)).cached).toBe(true);
    expect(world.generator.asked).toBe(2);
  });
});

describe('what is not kept', () => {
  test.each<readonly [string, readonly GenerateEvent[]]>([
    [
      'a refusal',
      [
        { kind: 'token', text: 'I do not know.' },
        { kind: 'done', refused: true, usage },
      ],
    ],
    ['an answer that was cut', [...GOOD.slice(0, 3), { kind: 'done', refused: false, reason: 'cut', usage }]],
    ['an unverified statement', [{ kind: 'token', text: 'It is blue. [unverified]' }, ...GOOD]],
    ['an answer without a citation', [GOOD[0]!, GOOD[3]!]],
    ['an answer with a citation that does not hold', [{ kind: 'citation', marker: 1, quote: 'never said' }, ...GOOD]],
    ['an answer of second choice', [...GOOD.slice(0, 3), { kind: 'done', refused: false, model: 'other', usage }]],
    ['an answer without its end', GOOD.slice(0, 3)],
  ])('S20: %s', async (_, events) => {
    await using world = rig();
    world.generator.events = events;
    await world.bench.index({ key: '1', text: TEXT });
    await ask(world.bench);
    expect(world.cache.keys.size).toBe(0);
    expect((await ask(world.bench)).cached).not.toBe(true);
    expect(world.generator.asked).toBe(2);
  });

  test('an answer from one leg of the search', async () => {
    const embedder = {
      ...(await import('../../../ports/embedder/hash-embedder.ts')).hashEmbedder(),
      embed: () => Promise.reject(new Error('away')),
    };
    await using world = rig({ embedder });
    await world.bench.index({ key: '1', text: TEXT });
    expect(await ask(world.bench)).toMatchObject({ refused: false });
    expect(world.cache.keys.size).toBe(0);
  });

  test('an answer whose document changes while it is written', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    await world.bench.index({ key: '2', text: 'A job may have a lock.' });
    world.generator.onStart = () => world.bench.remove('2');
    await ask(world.bench);
    expect(world.cache.keys.size).toBe(1);
    expect(await world.cache.entries()).toEqual([]);
  });

  test('S20: something in the cache that nobody here has written is not served, and goes', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    await ask(world.bench);
    const [key = ''] = world.cache.keys;
    const poison = (entry: object | string) => Buffer.from(typeof entry === 'string' ? entry : JSON.stringify(entry));
    const claim = { kind: 'citation', marker: 1, quote: 'for 90 years' };
    for (const value of [
      poison('not JSON'),
      poison({ pieces: 'x' }),
      poison({ pieces: [{ kind: 'token', text: 'Trust me.' }], model: 'm' }),
      poison({ pieces: [{ kind: 'token', text: 'Held for 90 years. [1]' }, claim], model: 'm' }),
      poison({
        pieces: [
          { kind: 'token', text: 'x' },
          { ...claim, marker: 9 },
        ],
        model: 'm',
      }),
    ]) {
      await world.cache.set([{ key, value }]);
      expect(await ask(world.bench)).toMatchObject({ cached: false, answer: 'For 30 seconds. [1]' });
    }
  });
});

describe('the same question at the same time', () => {
  test('is written once, and given to all', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    let go = (): void => undefined;
    world.generator.onStart = () => new Promise((resolve) => (go = resolve));
    const all = Array.from({ length: 8 }, () => ask(world.bench));
    await until(() => world.clock.sleeping >= 8); // the writer's deadline and seven who wait
    go();
    const replies = await Promise.all(all);
    expect(world.generator.asked).toBe(1);
    expect(replies.map(({ answer }) => answer)).toEqual(replies.map(() => 'For 30 seconds. [1]'));
    expect(replies.filter(({ cached }) => !cached)).toHaveLength(1);
  });

  test('what cannot be kept is written for each', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    world.generator.events = [{ kind: 'done', refused: true, usage }];
    let go = (): void => undefined;
    world.generator.onStart = (n) => (n === 1 ? new Promise((resolve) => (go = resolve)) : undefined);
    const all = Array.from({ length: 3 }, () => ask(world.bench));
    await until(() => world.clock.sleeping >= 3);
    go();
    expect((await Promise.all(all)).map(({ refused }) => refused)).toEqual([true, true, true]);
    expect(world.generator.asked).toBe(3);
  });

  test('a writer who fails leaves the others to themselves', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    let fail = (): void => undefined;
    world.generator.onStart = (n) =>
      n === 1 ? new Promise((_, reject) => (fail = () => reject(new Error('down')))) : undefined;
    const [first, second] = [ask(world.bench), ask(world.bench)];
    await until(() => world.clock.sleeping >= 2);
    fail();
    const replies = await Promise.all([first, second]);
    expect(replies.map((reply) => reply.answer ?? (reply as unknown as { code: string }).code).toSorted()).toEqual([
      'FRESHET_GENERATOR_UNAVAILABLE',
      'For 30 seconds. [1]',
    ]);
  });

  test('nobody waits for a slow reader for ever', async () => {
    await using world = rig();
    await world.bench.index({ key: '1', text: TEXT });
    let go = (): void => undefined;
    world.generator.onStart = (n) => (n === 1 ? new Promise((resolve) => (go = resolve)) : undefined);
    const first = ask(world.bench);
    await until(() => world.generator.asked === 1);
    const second = ask(world.bench);
    await until(() => world.clock.sleeping >= 2);
    await world.clock.advance(10_000);
    expect(await second).toMatchObject({ cached: false, answer: 'For 30 seconds. [1]' });
    go();
    await first;
  });
});

describe('the audit', () => {
  test('writes a share of the answers anew and compares what they rest on', async () => {
    let drawn = 0.9;
    await using world = rig({ auditShare: 0.5, random: () => drawn });
    await world.bench.index({ key: '1', text: TEXT });
    await ask(world.bench);
    expect((await ask(world.bench)).cached).toBe(true);
    drawn = 0.1;
    expect((await ask(world.bench)).cached).toBe(false);
    world.generator.events = [{ kind: 'done', refused: true, usage }];
    expect((await ask(world.bench)).refused).toBe(true);
    const { values } = await world.bench.metrics.cacheAudits.get();
    expect(values.map(({ labels, value }) => [labels.result, value])).toEqual([
      ['agrees', 1],
      ['refused', 1],
    ]);
  });
});
