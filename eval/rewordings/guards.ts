import { questionTerms } from '../../ports/generator/question-terms.ts';

/** What must be equal in two questions for one answer to serve both. Each looks at a question alone. */
export interface Guard {
  readonly name: string;
  /** Words and numbers, as one text that is compared. */
  of(question: string): string;
}

const NEGATIONS = /\b(?:not|no|never|none|nobody|nothing|neither|nor|without|except|cannot|\w+n['’]t)\b/giu;
/** Words that turn a question round when they are exchanged. */
const TURNS =
  /\b(?:first|last|next|previous|most|least|more|less|fewer|before|after|prior|largest|smallest|biggest|highest|lowest|best|worst|oldest|youngest|newest|longest|shortest|maximum|minimum|max|min|won|win|lost|lose|beat|defeat|start|end|begin|open|close|north|south|east|west|above|below|over|under|men's|women's|male|female|all|any|only|every|one|another|other|else|enable|disable|add|remove|create|delete|increase|decrease)\b/giu;
const ASKING = /\b(?:who|whom|whose|when|where|why|which|what|how many|how much|how long|how old|how often|how)\b/giu;

function wordsOf(question: string, pattern: RegExp): string {
  return [...question.matchAll(pattern)]
    .map(([word]) => word.toLowerCase())
    .toSorted()
    .join(' ');
}

/** Numbers, what is quoted, identifiers, negations: a few characters that change everything and that a vector hardly sees. */
const exact: Guard = {
  name: 'numbers, quotes, identifiers, negation',
  of: (question) =>
    [
      wordsOf(question, /[\p{L}]*\p{N}[\p{L}\p{N}.,:/-]*/gu),
      wordsOf(question, /["“”«»`][^"“”«»`]+["“”«»`]/gu),
      wordsOf(question, /[\p{L}\p{N}]+(?:[_./@:][\p{L}\p{N}]+)+|\p{Ll}+\p{Lu}\w*/gu),
      wordsOf(question, NEGATIONS),
    ].join('|'),
};

/** The same, names, words that turn a question round, and the word that asks. */
const named: Guard = {
  name: '+ names, turning words, question word',
  of: (question) =>
    [
      exact.of(question),
      wordsOf(question, /(?<=\S\s+["'“(]?)\p{Lu}[\p{L}'’]*/gu),
      wordsOf(question, TURNS),
      wordsOf(question, ASKING),
    ].join('|'),
};

/** The same, and every word that carries meaning, stemmed. */
const worded: Guard = {
  name: '+ all content words',
  of: (question) =>
    [
      exact.of(question),
      wordsOf(question, TURNS),
      wordsOf(question, ASKING),
      questionTerms(question)
        .map(({ stem }) => stem)
        .toSorted()
        .join(' '),
    ].join('|'),
};

/** Phrases around a question that ask for nothing. English only. */
const POLITE =
  /^(?:(?:hi|hello|hey|please|thanks|quick question|(?:can|could|would) you (?:please )?(?:tell me|explain)|(?:please )?tell me|i(?:'d| would) like to know|do you know)[\s,:]*)+|[\s.!?]*(?:please|thanks|thank you)?[\s.!?]*$/giu;

/** Every word, in order, but for phrases that ask for nothing: no vector is needed to see that this is the same question. */
const polite: Guard = {
  name: 'the same words without polite phrases',
  of: (question) => question.replace(POLITE, '').toLowerCase().replace(/\s+/g, ' ').trim(),
};

/** From none to the strictest. */
export const GUARDS: readonly Guard[] = [{ name: 'none', of: () => '' }, exact, named, worded, polite];
