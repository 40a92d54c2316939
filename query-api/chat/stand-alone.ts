/** Openings that continue what was said before. */
const CONTINUES = /^(?:and|but|or|also|then|what about|how about|what if|what else|anything else|why not|how so)\b/i;

/** Words that stand for something named elsewhere; `that` only where it cannot join two clauses. */
const REFERS =
  /\b(?:it|its|they|them|their|theirs|he|him|his|she|hers?|this|these|those)\b|\bthat(?=\s*[?.!]*$)|\b(?:does|is|was|do|about|for|of|with|than|like|after|before|without) that\b/i;

/** `it` that stands for nothing: "is it possible to", "how long does it take to". */
const EMPTY_IT =
  /\b(?:is|was) it (?:possible|necessary|safe|ok|okay|true|allowed|required|recommended)\b|\bdoes it take (?=.*\bto\b)|\bit (?:is|takes) (?:possible|necessary)\b/gi;

/** Long enough for words of content, and yet none: they ask or join, and name nothing. */
const ASKING = new Set(
  `what when where which whose who why how does did do can has had have was were are is with from for the and but not that this these
  those there would could should many much long often will into about after before our your you get than them they then please tell
  show explain more again while example examples detail details`.split(/\s+/),
);

/** A pronoun after so many words of content mostly stands for one of them: "if a job fails twice, is it retried?" */
const OWN_CONTEXT_WORDS = 3;

/**
 * A question that refers back, with what it refers to: the nearest earlier question that stands alone goes before it, on a line of
 * its own. By rule, for English; a question in another language, or one that nothing comes before, stays as it is.
 * @param earlier questions of the same conversation, oldest first
 * @param maxChars a longer result is not made; the question is then asked alone
 */
export function standAlone(question: string, earlier: readonly string[], maxChars: number): string {
  if (!refersBack(question)) return question;
  const context = earlier.findLast((one) => !refersBack(one));
  if (context === undefined || context === question) return question;
  const whole = `${context}\n${question}`;
  return whole.length > maxChars ? question : whole;
}

/** Whether a question cannot be understood without what was said before: it continues, points at something unnamed, or names nothing. */
export function refersBack(question: string): boolean {
  const text = question.trim();
  if (CONTINUES.test(text)) return true;
  const pointing = text.replace(EMPTY_IT, ' ');
  const pronoun = REFERS.exec(pointing);
  if (pronoun && contentWords(pointing.slice(0, pronoun.index)).length < OWN_CONTEXT_WORDS) return true;
  return /^[\p{Script=Latin}\P{L}]*$/u.test(text) && contentWords(text).length === 0 && text.split(/\s+/).length <= 4;
}

/** A name in capitals or with a digit is content at any length: "S3", "API". */
function contentWords(text: string): readonly string[] {
  return (text.match(/[\p{L}\p{N}_]+/gu) ?? []).filter(
    (word) => (word.length > 2 && !ASKING.has(word.toLowerCase())) || /\d|^\p{Lu}{2,}$/u.test(word),
  );
}
