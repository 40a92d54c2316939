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

/** The characters that FTS5's unicode61 tokenizer makes words of. */
const WORDS = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{Co}\p{M}]*/gu;

/**
 * The FTS5 expression for a free text: its words as quoted strings, joined by OR; undefined when there are none. Nothing in the
 * text is syntax. What stands together without a blank (`v1.13.0`, `bullmq.job.extendLock`, `foo_bar`) is a phrase, beside its longer
 * parts.
 */
export function matchExpression(text: string): string | undefined {
  const terms = new Set<string>();
  const stopWords = new Set<string>();
  for (const token of text.slice(0, MAX_LENGTH).toLowerCase().split(/\s+/u)) {
    const words = token.match(WORDS);
    if (!words) continue;
    const isStopWord = words.length === 1 && STOP_WORDS.has(words[0]);
    (isStopWord ? stopWords : terms).add(words.join(' '));
    if (words.length > 1)
      for (const word of words) if (word.length >= MIN_PART_LENGTH && !STOP_WORDS.has(word)) terms.add(word);
  }
  const chosen = [...(terms.size > 0 ? terms : stopWords)].slice(0, MAX_TERMS);
  return chosen.length === 0 ? undefined : chosen.map((term) => `"${term}"`).join(' OR ');
}
