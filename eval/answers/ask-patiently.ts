import { answerQuestion, type AnswerDeps } from '../../query-api/answer/answer-question.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import type { SearchResult } from '../../schemas/query.ts';
import { PRINCIPAL } from '../retrieval/fill-store.ts';

/** What a question was answered with, and the passages that were found for it, best first. */
export interface Asked {
  readonly answer: AnswerResponse;
  readonly results: readonly SearchResult[];
}

/** A question waits for its vector as long as it takes, so that a busy machine changes the time and not the figures, ms. */
const EMBED_DEADLINE_MS = 60_000;

/** Asks a question as `/v1/answer` would. @throws what `answerQuestion` throws. */
export async function askPatiently(
  question: string,
  deps: Omit<AnswerDeps, 'sources' | 'logger' | 'embedDeadlineMs'>,
  signal: AbortSignal,
): Promise<Asked> {
  let results: Asked['results'] = [];
  const patient = { ...deps, sources: [], logger: silentLogger, embedDeadlineMs: EMBED_DEADLINE_MS };
  const signals = { gone: signal, left: signal };
  for await (const event of answerQuestion({ question }, PRINCIPAL, patient, 'eval', signals)) {
    if (event.event === 'retrieval') results = event.data.results;
    if (event.event === 'done') return { answer: event.data, results };
  }
  throw new RangeError('an answer ended without done'); // answerQuestion ends so or throws
}
