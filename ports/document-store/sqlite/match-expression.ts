import { queryTerms } from '../query-terms.ts';

/** The FTS5 expression for a free text: its terms as quoted strings, joined by OR; undefined when there are none. */
export function matchExpression(text: string): string | undefined {
  const { terms } = queryTerms(text);
  return terms.length === 0 ? undefined : terms.map((words) => `"${words.join(' ')}"`).join(' OR ');
}
