import { afterEach, describe, expect, test } from 'vitest';
import { ChatStub, GENERATOR_OPTIONS, vllmStream } from '../ports/generator/remote/chat-fixtures.ts';
import { openaiGenerator } from '../ports/generator/openai-generator.ts';
import type { GenerateEvent, Generator } from '../ports/generator/generator.ts';
import type { Reranker } from '../ports/reranker/reranker.ts';
import type { AnswerResponse } from '../schemas/answer.ts';
import type { SearchResponse } from '../schemas/query.ts';
import { articleKey, queryBench, type QueryBench, type QueryBenchOptions } from '../test/support/query-api.ts';

const open: AsyncDisposable[] = [];
const bench = (options?: QueryBenchOptions): QueryBench => {
  const made = queryBench(options);
  open.push(made);
  return made;
};
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const LOCKS = 'A job lock is held for 30 seconds before it expires. Workers renew it while they run.';
const QUESTION = 'How long is a job lock held before it expires?';

async function post<T>({ app }: QueryBench, url: string, payload: object, headers = {}): Promise<T> {
  const reply = await app.inject({ method: 'POST', url, payload, headers });
  expect(reply.statusCode).toBe(200);
  return reply.json<T>();
}
const search = (b: QueryBench, body: object, headers = {}) =>
  post<SearchResponse>(b, '/v1/search', { query: QUESTION, explain: true, ...body }, headers);
const answer = (b: QueryBench, body: object = {}, headers = {}) =>
  post<AnswerResponse>(b, '/v1/answer', { question: QUESTION, explain: true, ...body }, headers);

async function indexSome(b: QueryBench, count: number): Promise<void> {
  await b.index({ key: '0', title: 'Locks', text: LOCKS });
  for (let i = 1; i < count; i++)
    await b.index({ key: `${i}`, title: `Job ${i}`, text: `A job number ${i} is queued.` });
}

describe('an explained search', () => {
  test('gives the same results as a plain one, and nobody an explanation who did not ask for it', async () => {
    const b = bench();
    await indexSome(b, 30);
    for (const mode of ['hybrid', 'lexical', 'dense']) {
      const [plain, explained] = [await search(b, { mode, explain: false }), await search(b, { mode })];
      expect(explained.results).toEqual(plain.results);
      expect(plain.explanation).toBeUndefined();
      expect(Object.keys(explained.explanation?.legs ?? {})).toEqual(['lexical', 'dense']);
    }
  });

  test('tells the rank in each leg, and what came nearest behind the last place', async () => {
    const b = bench();
    await indexSome(b, 30);
    const { explanation } = await search(b, { k: 2 });
    expect(explanation).toMatchObject({
      queryClass: 'words',
      mode: 'hybrid',
      k: 2,
      legs: { lexical: 'ran', dense: 'ran' },
      rerank: 'off',
    });
    expect(explanation?.passages[0]).toEqual({
      passageId: `${articleKey('0')}#0`,
      documentId: articleKey('0'),
      title: 'Locks',
      ranks: { lexical: 1, dense: 1, fused: 1 },
      outcome: 'returned',
    });
    expect(explanation?.passages.map(({ outcome }) => outcome)).toEqual([
      ...Array<string>(2).fill('returned'),
      ...Array<string>(8).fill('beyond-k'),
    ]);
  });

  test('a leg that was not asked for gives no ranks', async () => {
    const b = bench();
    await indexSome(b, 3);
    const { explanation } = await search(b, { mode: 'lexical' });
    expect(explanation?.legs).toEqual({ lexical: 'ran', dense: 'not-asked' });
    for (const { ranks } of explanation?.passages ?? []) expect(ranks.dense).toBeUndefined();
  });

  test('shows what the reranker moved', async () => {
    const reranker: Reranker = {
      name: 'reversing',
      score: async ({ texts }) => texts.map((_, index) => index),
      probe: async () => 'here',
      [Symbol.asyncDispose]: async () => undefined,
    };
    const b = bench({ reranking: { reranker, use: 'always', candidates: 3, timeoutMs: 500 } });
    await indexSome(b, 12);
    const { explanation, results } = await search(b, { k: 5 });
    expect(explanation?.rerank).toBe('reranked');
    expect(explanation?.passages.slice(0, 5).map(({ ranks }) => [ranks.fused, ranks.reranked])).toEqual([
      [3, 1],
      [2, 2],
      [1, 3],
      [4, undefined],
      [5, undefined],
    ]);
    expect(explanation?.passages.slice(0, 5).map(({ passageId }) => passageId)).toEqual(
      results.map(({ passageId }) => passageId),
    );
  });

  test('nothing of another tenant or group changes it, not by a number', async () => {
    const alone = bench();
    await indexSome(alone, 6);
    const shared = bench();
    await indexSome(shared, 6);
    for (let i = 0; i < 20; i++) {
      const theirs = { text: `${LOCKS} canary ${i}`, title: 'canary' };
      await shared.index({ key: `t${i}`, ...theirs, tenant: 'other' });
      await shared.index({ key: `g${i}`, ...theirs, acl: ['board'] });
    }
    for (const mode of ['hybrid', 'lexical', 'dense']) {
      const own = (await search(shared, { mode })).explanation;
      expect(JSON.stringify(own)).not.toContain('canary');
      // Places among equals depend on word statistics; who is there and how many does not.
      const ids = (all: typeof own) => all?.passages.map(({ passageId }) => passageId).toSorted();
      expect(ids(own)).toEqual(ids((await search(alone, { mode })).explanation));
    }
  });
});

describe('an explained answer', () => {
  test('says what was cited, what was only read, and how long each step took', async () => {
    const b = bench();
    await indexSome(b, 12);
    const { explanation, citations } = await answer(b, { k: 3 });
    expect(citations.map(({ marker }) => marker)).toEqual([1]);
    expect(explanation?.passages.slice(0, 4).map(({ outcome, marker }) => [outcome, marker])).toEqual([
      ['cited', 1],
      ['read', 2],
      ['read', 3],
      ['beyond-k', undefined],
    ]);
    expect(explanation?.statements).toEqual([
      {
        text: 'A job lock is held for 30 seconds before it expires.',
        outcome: 'cited',
        markers: [1],
        rejectedMarkers: [],
      },
    ]);
    expect(Object.keys(explanation?.timingsMs ?? {}).sort()).toEqual(['embed', 'generate', 'search', 'total', 'wait']);
    expect(explanation?.refusedBy).toBeUndefined();
  });

  test('comes in the last event of a stream', async () => {
    const b = bench();
    await indexSome(b, 2);
    const payload = { question: QUESTION, explain: true, stream: true };
    const { body } = await b.app.inject({ method: 'POST', url: '/v1/answer', payload });
    const done = JSON.parse(/event: done\ndata: (.*)/.exec(body)?.[1] ?? '') as AnswerResponse;
    expect(done.explanation?.passages[0]).toMatchObject({ outcome: 'cited', marker: 1 });
  });

  test.each([
    ['retrieval', [], QUESTION],
    ['generator', [LOCKS], 'Who painted the ceiling of the Sistine Chapel?'],
  ] as const)('refused by the %s says so', async (refusedBy, texts, question) => {
    const b = bench();
    for (const [key, text] of texts.entries()) await b.index({ key: `${key}`, text });
    const reply = await answer(b, { question });
    expect(reply.refused).toBe(true);
    expect(reply.explanation?.refusedBy).toBe(refusedBy);
    for (const { outcome } of reply.explanation?.passages ?? []) expect(outcome).toBe('read');
  });

  test('a quote that is not in its passage is counted, and refuses the answer', async () => {
    const b = bench({ generator: saying({ kind: 'citation', marker: 1, quote: 'a lock is held for ever' }) });
    await b.index({ key: '1', text: LOCKS });
    const { explanation, refused } = await answer(b);
    expect(refused).toBe(true);
    expect(explanation).toMatchObject({ refusedBy: 'verification', rejectedQuotes: [{ marker: 1 }] });
  });

  test('a passage that was withdrawn while the answer was written is not named, nor what may rest on it', async () => {
    const b: QueryBench = bench({
      generator: {
        ...saying(),
        async *generate({ trace }) {
          trace?.statements.push({ text: 'canary', outcome: 'dropped', markers: [], rejectedMarkers: [] });
          trace?.statements.push({ text: 'canary', outcome: 'cited', markers: [2], rejectedMarkers: [] });
          await b.index({ key: '2', text: 'A job lock of the board.', title: 'canary', acl: ['board'], version: 2 });
          await b.remove('3');
          yield { kind: 'done', refused: true, reason: 'told', usage: { promptTokens: 1, completionTokens: 1 } };
        },
      },
    });
    await b.index({ key: '1', text: LOCKS });
    await b.index({ key: '2', text: 'A job lock is held.', title: 'canary' });
    await b.index({ key: '3', text: 'A job lock was held.', title: 'canary' });
    const { explanation } = await answer(b);
    expect(explanation?.passages.map(({ documentId }) => documentId)).toEqual([articleKey('1')]);
    expect(JSON.stringify(explanation)).not.toContain('canary');
  });

  test('of a model: sentences that held, that were found, that were marked; and what fitted into the prompt', async () => {
    const stub = await new ChatStub().listen();
    open.push(stub);
    stub.script.push({
      steps: vllmStream([
        'A job lock is held for 30 seconds [1]. ',
        'Workers renew the lock while they run. ',
        'The moon orbits the distant earth [1].',
      ]),
    });
    const url = `${stub.url}/v1`;
    const b = bench({ generator: openaiGenerator({ ...GENERATOR_OPTIONS, url, model: 'qwen', contextTokens: 600 }) });
    await b.index({ key: '1', title: 'Locks', text: LOCKS });
    for (let i = 2; i < 5; i++)
      await b.index({ key: `${i}`, text: `A job lock ${'is queued again and again '.repeat(60)}.` });
    const { explanation } = await answer(b, { mode: 'lexical' });
    expect(
      explanation?.statements.map(({ outcome, markers, rejectedMarkers }) => [outcome, markers, rejectedMarkers]),
    ).toEqual([
      ['cited', [1], []],
      ['found', [1], []],
      ['unverified', [], [1]],
    ]);
    expect(explanation?.passages.map(({ outcome }) => outcome)).toContain('over-budget');
  });
});

/** A generator that says these events and then that it is done. */
function saying(...events: readonly GenerateEvent[]): Generator {
  return {
    model: 'stub',
    async *generate() {
      yield* events;
      yield { kind: 'done', refused: false, usage: { promptTokens: 1, completionTokens: 1 } };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
