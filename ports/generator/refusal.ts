/** What is said when the passages hold no answer. */
export const DONT_KNOW = "I don't know: the indexed documents don't seem to hold an answer.";

const REFUSAL =
  /^(?:i(?:'m| am) (?:sorry|afraid)\b.{0,20}|unfortunately,? )*(?:i (?:do not|don['’]t|cannot|can['’]t|could not|couldn['’]t) (?:know|answer|find|tell|help)|(?:the )?(?:provided |given |indexed )?(?:passages?|context|documents?|text|sources?) (?:do(?:es)? not|don['’]t|doesn['’]t))/i;

/** Whether a whole answer without a citation says that there is none, in a model's own words. */
export function isRefusal(answer: string): boolean {
  return REFUSAL.test(answer.trim());
}
