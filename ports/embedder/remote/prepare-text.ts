import type { Tokenizer } from '../embedder.ts';

/** Half of a surrogate pair: JSON parsers outside JavaScript refuse it, and with it the whole batch. */
const LONE_SURROGATES = /\p{Surrogate}/gu;
const REPLACEMENT = '\ufffd';
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
  const whole = (prefix + text).replace(LONE_SURROGATES, REPLACEMENT);
  if (whole === '') return { text: BLANK, tokens: SPECIAL_TOKENS };
  const tokens = tokenizer.count(whole);
  if (tokens <= maxTokens) return { text: whole, tokens: tokens + SPECIAL_TOKENS };
  const end = tokenizer.starts(whole)[maxTokens] ?? whole.length;
  return { text: whole.slice(0, end), tokens: maxTokens + SPECIAL_TOKENS };
}
