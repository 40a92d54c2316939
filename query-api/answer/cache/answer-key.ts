import { createHash } from 'node:crypto';
import type { Hit } from '../../../ports/document-store/document-store.ts';
import type { Principal } from '../../../schemas/principal.ts';

/** Changes when entries are read or written in another way: older ones are not found any more. */
const FORMAT = 1;

/** Everything that a written answer depends on. */
export interface AnswerBasis {
  readonly question: string;
  readonly principal: Principal;
  /** In the order in which the generator is shown them. */
  readonly hits: readonly Hit[];
  readonly model: string;
  readonly prompt: string | undefined;
  /** Whatever else of the generator shapes its answers; see `answerSettings`. */
  readonly settings: string;
}

/**
 * Name of an answer by everything that it depends on: tenant and groups of the caller, model, prompt and settings, the question, and the
 * evidence, which is each passage with its document's id and version, its title, headings and text, in order. What is changed, deleted,
 * revoked or newly ranks makes other evidence and so another name: there is nothing that could be stale. 64 hex digits of SHA-256.
 */
export function answerKey({ question, principal, hits, model, prompt, settings }: AnswerBasis): string {
  const { tenant, groups } = principal;
  const scope = [tenant, [...new Set(groups)].toSorted()];
  const evidence = hits.map(({ documentId, version, title, passage }) => [
    documentId,
    version.toString(),
    passage.id,
    title,
    passage.headings,
    passage.text,
  ]);
  // JSON keeps the parts apart, and lone surrogates, which UTF-8 would make alike.
  const basis = JSON.stringify([FORMAT, scope, model, prompt ?? null, settings, normaliseQuestion(question), evidence]);
  return createHash('sha256').update(basis).digest('hex');
}

/**
 * A question but for white space and composition of characters. Not but for case: capitals make names ("US", "Polish"), and in the trials 3 % of the answers that
 * were given again to a question in other case were not what would have been written.
 */
export function normaliseQuestion(question: string): string {
  return question.normalize('NFC').replace(/\s+/gu, ' ').trim();
}
