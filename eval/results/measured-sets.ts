import type { AnswersReport } from '../answers/answers-suite.ts';
import type { ChunkingReport } from '../chunking/chunking-suite.ts';
import type { GoldenReport } from '../golden/golden-suite.ts';
import { GOLDEN_KINDS } from '../golden/read-golden.ts';
import type { RetrievalReport } from '../retrieval/retrieval-suite.ts';
import type { MeasuredSet } from './result.ts';

/** nDCG@10, recall@10 and MRR@10 of every leg, query by query. */
export function retrievalSets({ sets }: Pick<RetrievalReport, 'sets'>): readonly MeasuredSet[] {
  return sets.map(({ set, queryIds, legs }) => ({
    set,
    queries: queryIds,
    metrics: legs.flatMap(({ leg, ndcg10ByQuery, recall10ByQuery, mrr10ByQuery }) => [
      { metric: `${leg} nDCG@10`, values: ndcg10ByQuery },
      { metric: `${leg} recall@10`, values: recall10ByQuery },
      { metric: `${leg} MRR@10`, values: mrr10ByQuery },
    ]),
  }));
}

/** Right decisions of every judge, and answers that cite what is relevant. Cases have no ids of their own: they are numbered. */
export function answersSets({ refusal, support, product }: AnswersReport): readonly MeasuredSet[] {
  const numbered = (set: string, metric: string, values: readonly number[]): MeasuredSet => ({
    set,
    queries: values.map((_, index) => String(index)),
    metrics: [{ metric, values }],
  });
  return [
    ...refusal.map(({ name, result }) => numbered(name, 'answered or refused, rightly', result.right)),
    ...support.map(({ name, result }) => numbered(name, 'support, rightly judged', result.right)),
    ...product.flatMap(({ name, refusal: { right }, citesRelevantByQuery, contextByQuery }) => [
      numbered(`${name}, index`, 'answered or refused, rightly', right),
      {
        set: `${name}, own questions`,
        queries: citesRelevantByQuery.map((_, index) => String(index)),
        metrics: [
          { metric: 'cites a relevant document', values: citesRelevantByQuery },
          { metric: 'context precision', values: contextByQuery.precision },
          { metric: 'context recall', values: contextByQuery.recall },
        ],
      },
    ]),
  ];
}

/** Token recall of the product's chunker, which comes first, question by question at every budget. */
export function chunkingSets({ sets }: Pick<ChunkingReport, 'sets'>): readonly MeasuredSet[] {
  return sets.flatMap(({ set, chunkers: [own] }) => {
    const questions = own?.budgets[0]?.recallByQuestion ?? [];
    if (!own || questions.length === 0) return [];
    return [
      {
        set,
        queries: questions.map((_, index) => String(index)),
        metrics: own.budgets.map(({ budgetTokens, recallByQuestion }) => ({
          metric: `recall at ${budgetTokens} tokens`,
          values: recallByQuestion,
        })),
      },
    ];
  });
}

/**
 * Kind by kind: whether the documents were found, the question answered (or, where nothing answers it, refused), and the right place
 * cited. A refusal cites nothing: a run that answers more is not compared over other questions than one that answers less.
 */
export function goldenSets({ outcomes }: Pick<GoldenReport, 'outcomes'>): readonly MeasuredSet[] {
  return GOLDEN_KINDS.flatMap((kind) => {
    const own = outcomes.filter(({ question }) => question.kind === kind);
    const metric = (name: string, holds: (outcome: (typeof own)[number]) => boolean) => ({
      metric: name,
      values: own.map((each) => (holds(each) ? 1 : 0)),
    });
    const metrics =
      kind === 'unanswerable'
        ? [metric('refused', ({ refused }) => refused)]
        : [
            metric('found', ({ found }) => found),
            metric('answered', ({ refused }) => !refused),
            metric('cites the right place', ({ citesGold }) => citesGold),
          ];
    return own.length === 0 ? [] : [{ set: kind, queries: own.map(({ question }) => question.id), metrics }];
  });
}
