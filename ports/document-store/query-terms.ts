import { spaceIdeographs } from './word-borders.ts';

/** Terms of one query that are looked up; the rest of a longer text is left out. */
const MAX_TERMS = 48;
/** Characters of a query that are looked at, UTF-16 code units. */
const MAX_LENGTH = 8_192;
/** Shorter parts of a compound (`v1`, `13`) say too little on their own. */
const MIN_PART_LENGTH = 3;

/** Words that stand in nearly every English passage: they cost a scan of the whole index and decide no ranking. */
const STOP_WORDS = new Set(
  (
    'a an and are as at be but by can do does for from has have how i if in into is it its me my no not of on or our so that the ' +
    'their them then there these they this to was we were what when where which who why will with you your'
  ).split(' '),
);

/** Words, as FTS5's unicode61 tokenizer finds them; punctuation ends one. */
const WORDS = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{Co}\p{M}]*/gu;

/** Words of a language, joined (`boundary-layer`, `don't`): texts write them apart as well. Not flags, nor anything with a digit. */
const HYPHENATED = /^[^\p{L}\p{N}-]*\p{L}+(?:[-'\u2019]\p{L}+)+[^\p{L}\p{N}]*$/u;

/** What a free text asks for. */
export interface QueryTerms {
  /** In the order of the text, without repeats, lower case. One of several words was written without a blank: a phrase. */
  readonly terms: readonly (readonly string[])[];
  /** The text says nothing but stop words; they are then looked up after all. */
  readonly areStopWords: boolean;
}

/**
 * The terms of a free text. Nothing in it is syntax. What stands together without a blank (`v1.13.0`, `bullmq.job.extendLock`,
 * `foo_bar`) is a phrase, beside its longer parts; words that a hyphen joins are looked up one by one. Of a text in ideographs
 * every two neighbours are a phrase: where its words end is not written, and single characters are in nearly every passage.
 */
export function queryTerms(text: string): QueryTerms {
  const terms = new Map<string, readonly string[]>();
  const stopWords = new Map<string, readonly string[]>();
  for (const token of text.slice(0, MAX_LENGTH).toLowerCase().split(/\s+/u)) {
    const words = token.match(WORDS);
    if (!words) continue;
    const [word = ''] = words;
    if (words.length === 1 && STOP_WORDS.has(word)) stopWords.set(word, words);
    else for (const term of termsOf(token, words)) terms.set(term.join(' '), term);
  }
  const areStopWords = terms.size === 0;
  return { terms: [...(areStopWords ? stopWords : terms).values()].slice(0, MAX_TERMS), areStopWords };
}

/** The terms of what stands between two blanks. */
function termsOf(token: string, words: readonly string[]): readonly (readonly string[])[] {
  const spaced = words.map((word) => spaceIdeographs(word).split(' '));
  if (spaced.some((characters) => characters.length > 1)) return spaced.flatMap(pairs);
  if (words.length === 1) return [words];
  const parts = words.filter((word) => word.length >= MIN_PART_LENGTH && !STOP_WORDS.has(word)).map((word) => [word]);
  return parts.length > 0 && HYPHENATED.test(token) ? parts : [words, ...parts];
}

/** Every two neighbours; what stands alone, and what is longer than a character, is also a term of its own. */
function pairs(words: readonly string[]): readonly (readonly string[])[] {
  const alone = words.filter((word) => words.length === 1 || word.length >= MIN_PART_LENGTH);
  return [...words.slice(1).map((word, index) => [words[index] ?? '', word]), ...alone.map((word) => [word])];
}
