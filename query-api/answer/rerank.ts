import type { Hit } from '../../ports/document-store/document-store.ts';
import type { Reranker } from '../../ports/reranker/reranker.ts';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { RequestSignals } from './wait-for-position.ts';

/** A reranker, and when and how far it is used. */
export interface Reranking {
  readonly reranker: Reranker;
  /** `always`: unless a query says no; `asked`: only when it says yes. */
  readonly use: 'always' | 'asked';
  /** Hits from the top that it puts in a new order. */
  readonly candidates: number;
  readonly timeoutMs: number;
}

/**
 * Puts the first `candidates` hits in the order of the reranker; equal scores keep their order, and the hits after them follow as they were. Only
 * hits that the caller may see come here, so nothing else is sent.
 * @param hits best first.
 * @returns undefined when the reranker gave no order in time: the hits' own is then the best there is.
 * @throws the signal's reason when the caller has left.
 */
export async function rerank(
  query: string,
  hits: readonly Hit[],
  { reranker, candidates, timeoutMs }: Reranking,
  { metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger },
  { gone, left }: RequestSignals,
): Promise<readonly Hit[] | undefined> {
  const head = hits.slice(0, candidates);
  if (head.length < 2) return hits; // nothing to put in order
  try {
    const scores = await reranker.score({ query, texts: head.map(textOf), timeoutMs }, gone);
    metrics.rerankQueries.inc({ outcome: 'reranked' });
    const order = head.map((hit, place) => ({ hit, place, score: scores[place] ?? -Infinity }));
    order.sort((a, b) => b.score - a.score || a.place - b.place);
    return [...order.map(({ hit }) => hit), ...hits.slice(candidates)];
  } catch (error) {
    left.throwIfAborted();
    // A server that stops ends what may take long; the reply itself is finished.
    const outcome = gone.aborted ? 'stopped' : error instanceof RerankerUnavailable ? error.failure : 'failed';
    metrics.rerankQueries.inc({ outcome });
    const cause = error instanceof Error ? { error } : {};
    logger.debug('The results were not reranked.', { reranker: reranker.name, outcome, ...cause });
    return undefined;
  }
}

/** What is judged of a passage: title and headings, which say what it is about, then its text. */
function textOf({ title, passage }: Hit): string {
  const path = [title, ...passage.headings].filter((part, index, all) => part !== '' && part !== all[index - 1]);
  return path.length === 0 ? passage.text : `${path.join(' > ')}\n\n${passage.text}`;
}
