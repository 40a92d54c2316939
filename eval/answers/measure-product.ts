import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { parseDocumentId } from '../../schemas/ids.ts';
import { meanInterval, type Interval } from '../metrics/bootstrap.ts';
import { decisionMetrics, type Decision, type DecisionResult } from '../metrics/decision-metrics.ts';
import { fillStore, type FillOptions } from '../retrieval/fill-store.ts';
import type { RetrievalSet, SetQuery } from '../retrieval/read-set.ts';
import { askPatiently } from './ask-patiently.ts';
import { judgeCitations, type CitationCounts } from './judge-citations.ts';

/** Answers of the whole query path over one index. */
export interface ProductResult {
  readonly refusal: DecisionResult;
  readonly citations: CitationCounts;
  /** Share of the answered questions that cite a document judged relevant. */
  readonly citesRelevant: Interval;
  /** 1 for every question of the set whose answer cites a document judged relevant; 0 when it does not, or was refused. */
  readonly citesRelevantByQuery: readonly number[];
}

const SEED = 1;

/**
 * Fills an index with a set and asks it, as `/v1/answer` would, the set's own questions, which it can answer, and `foreign` ones, which
 * are about other things and must be refused.
 */
export async function measureProduct(
  set: RetrievalSet,
  foreign: readonly string[],
  options: Omit<FillOptions, 'store'>,
  signal: AbortSignal,
): Promise<ProductResult> {
  const { embedder, clock } = options;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  await fillStore(set, { ...options, store }, signal);
  await using generator = extractiveGenerator();
  const deps = { ...options, store, generator };
  const decisions: Decision[] = [];
  const relevant: number[] = [];
  const citesRelevantByQuery: number[] = [];
  const counts = { citations: 0, literal: 0, statements: 0, borneOut: 0 };
  for (const own of set.queries) {
    const { answer, results } = await askPatiently(own.text, deps, signal);
    decisions.push({ expected: true, said: !answer.refused });
    const cites = citesRelevant(answer, own) ? 1 : 0;
    citesRelevantByQuery.push(cites);
    if (answer.refused) continue;
    relevant.push(cites);
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
  };
}

function citesRelevant({ citations }: AnswerResponse, { judgements }: SetQuery): boolean {
  return citations.some(({ documentId }) => {
    const key = parseDocumentId(documentId as Parameters<typeof parseDocumentId>[0])?.key[0] ?? '';
    return (judgements.get(key) ?? 0) > 0;
  });
}
