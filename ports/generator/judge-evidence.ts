import type { Reranker } from '../reranker/reranker.ts';
import type { GenerateRequest } from './generator.ts';
import type { Selection } from './select-evidence.ts';

/** Reads a question and passages together. Opened when the first question comes: its model costs memory and a part of a start. */
export type OpenJudge = () => Promise<Reranker>;

/** Passages that are read, from the best: each costs tens of ms. */
const PASSAGES = 3;
/** An answer waits so long for the judge, ms; afterwards the words alone decide. */
const TIMEOUT_MS = 1_500;
/** The judge has learned English; texts in the same script it can still tell apart, others not. */
const FOREIGN_LETTER = /(?!\p{Script=Latin})\p{L}/u;

/*
 * Logistic regression of "the passages answer the question" on the judge's best logit and the two shares of covered words, over
 * questions with and without an answer (docs/adr/0027-local-cross-encoder.md); the intercept is moved so that about one answerable
 * question in twenty is refused.
 */
const LOGIT_WEIGHT = 0.32;
const PASSAGE_COVERAGE_WEIGHT = 1.85;
const EVIDENCE_COVERAGE_WEIGHT = 3.1;
const INTERCEPT = -3.1;

/**
 * The highest logit of the first passages; undefined when the question is none for the judge, or it did not answer in time: then there
 * is another rule to go by.
 * @throws the signal's reason.
 */
export async function judgeEvidence(
  { question, passages }: GenerateRequest,
  openJudge: OpenJudge,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (FOREIGN_LETTER.test(question) || passages.length === 0) return undefined;
  const texts = passages.slice(0, PASSAGES).map(({ title, text }) => (title === '' ? text : `${title}\n${text}`));
  try {
    const judge = await openJudge();
    return Math.max(...(await judge.score({ query: question, texts, timeoutMs: TIMEOUT_MS }, signal)));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Whether logit and words together make it likely that the passages answer. */
export function isLikelyAnswer(logit: number, { passageCoverage, evidenceCoverage }: Selection): boolean {
  return (
    LOGIT_WEIGHT * logit +
      PASSAGE_COVERAGE_WEIGHT * passageCoverage +
      EVIDENCE_COVERAGE_WEIGHT * evidenceCoverage +
      INTERCEPT >
    0
  );
}
