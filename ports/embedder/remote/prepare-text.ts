import type { Tokenizer } from '../embedder.ts';

/** What every Node that we support has, and the library that we compile against does not know yet (ES2024). */
interface WellFormable {
  isWellFormed(): boolean;
  toWellFormed(): string;
}
/** TEI and OpenAI refuse an empty text, and with it the whole batch; white space they embed, as nothing but special tokens. */
const BLANK = ' ';
/** [CLS] and [SEP], or what the model has for them. */
const SPECIAL_TOKENS = 2;

/** A text as it is sent, and what it costs. */
export interface PreparedText {
  readonly text: string;
  /** Special tokens included. */
  readonly tokens: number;
}

/**
 * A text as every service takes it: with its prefix, well-formed, never empty, and cut at a token where it is longer than the
 * model reads. `maxTokens` does not count special tokens.
 */
export function prepareText(text: string, prefix: string, tokenizer: Tokenizer, maxTokens: number): PreparedText {
  const whole = wellFormed(prefix + text);
  if (whole === '') return { text: BLANK, tokens: SPECIAL_TOKENS };
  const tokens = tokenizer.count(whole);
  if (tokens <= maxTokens) return { text: whole, tokens: tokens + SPECIAL_TOKENS };
  const end = tokenizer.starts(whole)[maxTokens] ?? whole.length;
  return { text: whole.slice(0, end), tokens: maxTokens + SPECIAL_TOKENS };
}

/** Half of a surrogate pair becomes U+FFFD: JSON parsers outside JavaScript refuse it, and with it the whole batch. */
function wellFormed(text: string): string {
  const formable = text as string & WellFormable;
  return formable.isWellFormed() ? text : formable.toWellFormed();
}
