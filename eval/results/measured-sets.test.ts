import { expect, it } from 'vitest';
import type { JudgedOutcome } from '../golden/score-golden.ts';
import { answersSets, goldenSets, retrievalSets } from './measured-sets.ts';

const interval = { mean: 1, low: 1, high: 1 };
const decided = (right: readonly number[]) => ({
  positives: 1,
  negatives: 1,
  saidYesOfYes: interval,
  saidNoOfNo: interval,
  balancedAccuracy: interval,
  right,
});

it('a leg has three metrics over the queries of its set', () => {
  const leg = { leg: 'hybrid' as const, ndcg10: interval, recall10: 1, recall100: 1, mrr10: 1, p50Ms: 1 };
  const byQuery = { ndcg10ByQuery: [1, 0.5], recall10ByQuery: [1, 1], mrr10ByQuery: [1, 0.3] };
  const set = { set: 'adi', documents: 1, passages: 1, queries: 2, queryIds: ['a', 'b'], floors: {} };
  expect(retrievalSets({ sets: [{ ...set, legs: [{ ...leg, ...byQuery }] }] })).toEqual([
    {
      set: 'adi',
      queries: ['a', 'b'],
      metrics: [
        { metric: 'hybrid nDCG@10', values: [1, 0.5] },
        { metric: 'hybrid recall@10', values: [1, 1] },
        { metric: 'hybrid MRR@10', values: [1, 0.3] },
      ],
    },
  ]);
});

it('decisions are numbered, and questions of an index stand apart from those of a set of the same name', () => {
  const citations = { citations: 1, literal: 1, statements: 1, borneOut: 1 };
  const product = {
    refusal: decided([1, 0]),
    citations,
    citesRelevant: interval,
    citesRelevantByQuery: [1],
    contextPrecision: interval,
    contextRecall: interval,
    faithfulness: interval,
    contextByQuery: { precision: [0.5], recall: [1] },
  };
  const sets = answersSets({
    suite: 'answers',
    generator: 'g',
    refusal: [{ name: 'docs', result: decided([1]) }],
    support: [{ name: 'wice', result: decided([0]) }],
    product: [{ name: 'docs', ...product }],
    missing: [],
  });
  expect(sets.map(({ set, queries, metrics }) => [set, queries, metrics[0]?.values])).toEqual([
    ['docs', ['0'], [1]],
    ['wice', ['0'], [0]],
    ['docs, index', ['0', '1'], [1, 0]],
    ['docs, own questions', ['0'], [1]],
  ]);
  expect(sets.at(-1)?.metrics.map(({ metric, values }) => [metric, ...values])).toEqual([
    ['cites a relevant document', 1],
    ['context precision', 0.5],
    ['context recall', 1],
  ]);
});

it('a golden question that was refused stays in: answering less must not look better', () => {
  const outcome = (id: string, refused: boolean, citesGold: boolean): JudgedOutcome => ({
    question: { id, question: '?', kind: 'single', documents: ['d'], quotes: [], answer: 'x', language: 'en' },
    retrieved: [],
    citations: [],
    found: true,
    refused,
    citesGold,
  });
  expect(goldenSets({ outcomes: [outcome('a', true, false), outcome('b', false, true)] })).toEqual([
    {
      set: 'single',
      queries: ['a', 'b'],
      metrics: [
        { metric: 'found', values: [1, 1] },
        { metric: 'answered', values: [0, 1] },
        { metric: 'cites the right place', values: [0, 1] },
      ],
    },
  ]);
});
