import { queryTerms } from '../query-terms.ts';
import { foldWords } from './fold-words.ts';
import type { Clause } from './clause.ts';

/** Weights of BM25: a word of the title or of a heading says more about a passage than one of its text. */
const WEIGHTS = { titleWords: 2, headingWords: 1.5, words: 1 } as const;

const fields = (suffix: '' | '.exact'): string[] =>
  Object.entries(WEIGHTS).map(([field, weight]) => `passages.${field}${suffix}^${weight}`);
const STEMMED = fields('');
const EXACT = fields('.exact');

/**
 * The clause that finds and ranks passages by the terms of a free text; undefined when it has none. Single words are looked up in their
 * other forms, as if title, headings and text were one weighted field (BM25F); compounds as phrases, as they were written.
 */
export function lexicalQuery(text: string): Clause | undefined {
  const { terms, areStopWords } = queryTerms(text);
  if (terms.length === 0) return undefined;
  const words = terms.flatMap((term) => (term.length === 1 ? term : [])).map(foldWords);
  const phrases = terms.flatMap((term) => (term.length > 1 ? foldWords(term.join(' ')) : []));
  const should: Clause[] = phrases.map((query) => ({ multi_match: { query, type: 'phrase', fields: EXACT } }));
  // The analyzer of a language drops stop words; a text of nothing else is looked up word by word.
  if (words.length > 0)
    should.push({ combined_fields: { query: words.join(' '), fields: areStopWords ? EXACT : STEMMED } });
  return { bool: { should, minimum_should_match: 1 } };
}
