import { checkSupport } from '../../query-api/answer/support/check-support.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { statementsOf } from './statements-of.ts';

/** Counts over the answers that were not refused. */
export interface CitationCounts {
  readonly citations: number;
  /** Whose quote stands letter for letter in the passage they name. */
  readonly literal: number;
  readonly statements: number;
  /** That cite a quote which bears them out. */
  readonly borneOut: number;
}

/** Checks every citation of an answer against the texts of the passages that were retrieved for it, by passage id. */
export function judgeCitations(answer: AnswerResponse, texts: ReadonlyMap<string, string>): CitationCounts {
  const statements = statementsOf(answer.answer);
  const quotesOf = (markers: readonly number[]) =>
    answer.citations
      .filter(({ marker }) => markers.includes(marker))
      .map(({ quote }) => quote)
      .join('\n');
  return {
    citations: answer.citations.length,
    literal: answer.citations.filter(({ passageId, quote }) => texts.get(passageId)?.includes(quote)).length,
    statements: statements.length,
    borneOut: statements.filter(({ text, markers }) => isBorneOut(text, quotesOf(markers))).length,
  };
}

/** Code has no words that the checker could weigh; letter for letter is borne out in any case. */
function isBorneOut(statement: string, quotes: string): boolean {
  return quotes.includes(statement) || (quotes !== '' && checkSupport(statement, quotes).supported);
}
