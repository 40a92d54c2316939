import type { DocumentStore, Fusion, Hit, StoreQuery, StoreReply } from '../../ports/document-store/document-store.ts';
import { fuseHits } from '../../ports/document-store/fuse.ts';
import type { PassageRanks, RetrievalExplanation } from '../../schemas/explanation.ts';
import type { SearchRequest } from '../../schemas/query.ts';
import { classifyQuery } from './classify-query.ts';

/** Passages that are named behind the last one that was asked for: enough to see what nearly came in. */
const NEARLY = 8;

/** What was found, with both lists that it was made of; all from one state of the store. */
export interface TracedHits {
  readonly legs: StoreReply;
  /** Best first: at least as many as were asked for, where there are. */
  readonly fused: readonly Hit[];
}

/**
 * `store.best` with the two lists kept: by the store's contract both give the same order, so an explained search gives what a plain one does.
 * Reads every hit of both legs whole, which is why only those pay for it who ask.
 * @throws what `store.search` throws.
 */
export async function searchTraced(
  store: DocumentStore,
  query: StoreQuery,
  fusion: Fusion,
  signal: AbortSignal,
): Promise<TracedHits> {
  const legs = await store.search(query, signal);
  return { legs, fused: fuseHits(legs, { ...fusion, count: fusion.count + NEARLY }) };
}

/** How a search went, besides what it found. */
export interface RetrievalCourse {
  readonly k: number;
  readonly legs: RetrievalExplanation['legs'];
  readonly rerank: RetrievalExplanation['rerank'];
  /** How many of the best the reranker was shown. */
  readonly candidates: number;
  /** Left out because a better one has the same text. */
  readonly copies: readonly Hit[];
}

/** Explains a search by ranks. Pure. @param ordered what was found, in the final order. */
export function explainRetrieval(
  { query, mode = 'hybrid' }: Pick<SearchRequest, 'query' | 'mode'>,
  { legs: found, fused }: TracedHits,
  ordered: readonly Hit[],
  { k, legs, rerank, candidates, copies }: RetrievalCourse,
): RetrievalExplanation {
  const ranks = { lexical: ranksOf(found.lexical), dense: ranksOf(found.dense), fused: ranksOf(fused) };
  const ranksFor = ({ passage: { id } }: Hit, index: number): PassageRanks => {
    const [lexical, dense] = [ranks.lexical.get(id), ranks.dense.get(id)];
    return {
      ...(lexical !== undefined && { lexical }),
      ...(dense !== undefined && { dense }),
      fused: ranks.fused.get(id) ?? index + 1,
      ...(rerank === 'reranked' && index < candidates && { reranked: index + 1 }),
    };
  };
  const isCopy = new Set(copies.map(({ passage }) => passage.id));
  const isListed = new Set(ordered.map(({ passage }) => passage.id));
  const others = fused.filter(({ passage }) => !isListed.has(passage.id));
  return {
    queryClass: classifyQuery(query),
    mode,
    k,
    legs,
    rerank,
    passages: [...ordered, ...others].slice(0, k + NEARLY).map((hit, index) => ({
      passageId: hit.passage.id,
      documentId: hit.documentId,
      title: hit.title,
      ranks: ranksFor(hit, index),
      ...(!hit.hasVector && { vectorPending: true }),
      outcome: isCopy.has(hit.passage.id) ? 'copy' : index < k ? 'returned' : 'beyond-k',
    })),
  };
}

/** Ranks from 1 by passage id. */
function ranksOf(hits: readonly Hit[]): ReadonlyMap<string, number> {
  return new Map(hits.map(({ passage }, index) => [passage.id, index + 1]));
}
