import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { meanInterval, mean, quantile, type Interval } from '../metrics/bootstrap.ts';
import { ndcgAt, recallAt, reciprocalRankAt } from '../metrics/ranking-metrics.ts';
import type { Reranking } from '../../query-api/answer/rerank.ts';
import { fillStore, type FillOptions } from './fill-store.ts';
import type { RetrievalSet } from './read-set.ts';
import { LEGS, runQueries, type Leg, type Ranking } from './run-queries.ts';

/** How well one leg finds the documents of a set. */
export interface LegResult {
  readonly leg: Leg;
  readonly ndcg10: Interval;
  readonly recall10: number;
  readonly recall100: number;
  readonly mrr10: number;
  /** Of the whole search, the embedding of the query included, ms. */
  readonly p50Ms: number;
  /** Of every query, in the order of the set: what a paired comparison needs. */
  readonly ndcg10ByQuery: readonly number[];
  readonly recall10ByQuery: readonly number[];
  readonly mrr10ByQuery: readonly number[];
}

export interface SetResult {
  readonly set: string;
  readonly documents: number;
  readonly passages: number;
  readonly queries: number;
  /** Ids of the queries, in the order of their figures. */
  readonly queryIds: readonly string[];
  readonly legs: readonly LegResult[];
}

/** What a set is measured with. */
export interface MeasureOptions extends Omit<FillOptions, 'store'> {
  /** Orders what every leg finds. */
  readonly reranking?: Reranking;
}

/** The same intervals at every run. */
const SEED = 1;

/** Fills an index of its own with a set and asks its queries, leg by leg. */
export async function measureSet(set: RetrievalSet, options: MeasureOptions, signal: AbortSignal): Promise<SetResult> {
  const { embedder, clock } = options;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  await fillStore(set, { ...options, store }, signal);
  const legs: LegResult[] = [];
  for (const leg of LEGS)
    legs.push(judge(leg, await runQueries(set.queries, leg, { ...options, store, logger: silentLogger }, signal)));
  const { passages } = await store.progress(signal);
  const queryIds = set.queries.map(({ id }) => id);
  return { set: set.name, documents: set.documents.length, passages, queries: queryIds.length, queryIds, legs };
}

function judge(leg: Leg, rankings: readonly Ranking[]): LegResult {
  const over = (metric: typeof ndcgAt, k: number): number[] =>
    rankings.flatMap(({ documents, query }) => metric(k, documents, query.judgements) ?? []);
  const ndcg10ByQuery = over(ndcgAt, 10);
  const recall10ByQuery = over(recallAt, 10);
  const mrr10ByQuery = over(reciprocalRankAt, 10);
  return {
    leg,
    ndcg10: meanInterval(ndcg10ByQuery, seededRandom(SEED)),
    recall10: mean(recall10ByQuery),
    recall100: mean(over(recallAt, 100)),
    mrr10: mean(mrr10ByQuery),
    p50Ms: quantile(
      rankings.map(({ tookMs }) => tookMs).sort((a, b) => a - b),
      0.5,
    ),
    ndcg10ByQuery,
    recall10ByQuery,
    mrr10ByQuery,
  };
}
