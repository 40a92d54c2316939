import type { Generator } from '../../ports/generator/generator.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { parseDocumentId } from '../../schemas/ids.ts';
import type { SearchResult } from '../../schemas/query.ts';
import { meanInterval, type Interval } from '../metrics/bootstrap.ts';
import { decisionMetrics, type Decision, type DecisionResult } from '../metrics/decision-metrics.ts';
import { contextPrecision } from '../metrics/context-metrics.ts';
import { recallAt } from '../metrics/ranking-metrics.ts';
import { knowledgePrecision } from '../judges/rule-judges.ts';
import { fillStore, type FillOptions } from '../retrieval/fill-store.ts';
import type { RetrievalSet, SetQuery } from '../retrieval/read-set.ts';
import { askPatiently } from './ask-patiently.ts';
import { judgeCitations, type CitationCounts } from './judge-citations.ts';
import { statementsOf } from './statements-of.ts';

/** Answers of the whole query path over one index. */
export interface ProductResult {
  readonly refusal: DecisionResult;
  readonly citations: CitationCounts;
  /** Share of the answered questions that cite a document judged relevant. */
  readonly citesRelevant: Interval;
  /** 1 for every question of the set whose answer cites a document judged relevant; 0 when it does not, or was refused. */
  readonly citesRelevantByQuery: readonly number[];
  /** Of the passages that every question of the set was given; relevant is a passage of a document judged so. No judge is needed. */
  readonly contextPrecision: Interval;
  readonly contextRecall: Interval;
  /** Share of an answer's words that its passages have: the judge that goes best with people. Refusals left out. */
  readonly faithfulness: Interval;
  /** The first two of them, of every question of the set, in its order. */
  readonly contextByQuery: { readonly precision: readonly number[]; readonly recall: readonly number[] };
}

const SEED = 1;

/**
 * Fills an index with a set and asks it, as `/v1/answer` would, the set's own questions, which it can answer, and `foreign` ones, which
 * are about other things and must be refused.
 */
export async function measureProduct(
  set: RetrievalSet,
  foreign: readonly string[],
  options: Omit<FillOptions, 'store'> & { readonly generator: Generator },
  signal: AbortSignal,
): Promise<ProductResult> {
  const { embedder, clock } = options;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  await fillStore(set, { ...options, store }, signal);
  const deps = { ...options, store };
  const decisions: Decision[] = [];
  const relevant: number[] = [];
  const citesRelevantByQuery: number[] = [];
  const contextByQuery = { precision: [] as number[], recall: [] as number[] };
  const faithful: number[] = [];
  const counts = { citations: 0, literal: 0, statements: 0, borneOut: 0 };
  for (const own of set.queries) {
    const { answer, results } = await askPatiently(own.text, deps, signal);
    decisions.push({ expected: true, said: !answer.refused });
    const documents = results.map(({ documentId }) => keyOf(documentId));
    contextByQuery.precision.push(contextPrecision(documents.map((id) => (own.judgements.get(id) ?? 0) > 0)));
    contextByQuery.recall.push(recallAt(documents.length, [...new Set(documents)], own.judgements) ?? 0);
    const cites = citesRelevant(answer, own) ? 1 : 0;
    citesRelevantByQuery.push(cites);
    if (answer.refused) continue;
    relevant.push(cites);
    faithful.push(faithfulnessOf(answer, results));
    const judged = judgeCitations(answer, new Map(results.map(({ passageId, text }) => [passageId, text])));
    for (const key of Object.keys(counts) as (keyof CitationCounts)[]) counts[key] += judged[key];
  }
  for (const question of foreign)
    decisions.push({ expected: false, said: !(await askPatiently(question, deps, signal)).answer.refused });
  return {
    refusal: decisionMetrics(decisions, seededRandom(SEED)),
    citations: counts,
    citesRelevant: meanInterval(relevant, seededRandom(SEED)),
    citesRelevantByQuery,
    contextPrecision: meanInterval(contextByQuery.precision, seededRandom(SEED)),
    contextRecall: meanInterval(contextByQuery.recall, seededRandom(SEED)),
    faithfulness: meanInterval(faithful, seededRandom(SEED)),
    contextByQuery,
  };
}

function citesRelevant({ citations }: AnswerResponse, { judgements }: SetQuery): boolean {
  return citations.some(({ documentId }) => (judgements.get(keyOf(documentId)) ?? 0) > 0);
}

/** The id that the set gave a document. */
function keyOf(id: string): string {
  return parseDocumentId(id as Parameters<typeof parseDocumentId>[0])?.key[0] ?? '';
}

/** Markers are no words of an answer. */
function faithfulnessOf({ answer }: AnswerResponse, results: readonly SearchResult[]): number {
  const said = statementsOf(answer)
    .map(({ text }) => text)
    .join('\n');
  return knowledgePrecision({ answer: said, contexts: results.map(({ text }) => text) }) ?? 0;
}
