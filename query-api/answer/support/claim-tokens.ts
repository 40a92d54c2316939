import { stem, STOPWORDS } from '../../../ports/generator/question-terms.ts';

/** A word or number of a claim or of its evidence; `text.slice(start, end)`. */
export interface ClaimToken {
  readonly start: number;
  readonly end: number;
  /** What it is compared by: digits without separators, or the stem in lower case. */
  readonly key: string;
  /** The same number in digits, when it is written as a word. */
  readonly digits?: string;
  readonly kind: 'number' | 'name' | 'negation' | 'grammar' | 'word';
}

/** An amount with its separators, or a word; hyphens join words that are compared one by one. */
const TOKEN = /[$€£]?\d[\d,]*(?:\.\d+)?|\p{L}[\p{L}\p{N}'’]*/gu;
/** After one of these a capital only says that a sentence, a title or a quotation begins. */
const BEGINS = /[.!?:;\n"“”«»]/u;
const NEGATION =
  /^(?:not|no|never|none|nor|neither|without|cannot|nothing|nobody|unable|fail(?:s|ed)?|lack(?:s|ed)?|refused?|den(?:y|ied|ies)|\p{L}+n['’]t)$/u;
const REPORTING = new Set(['according', 'include', 'included', 'includes', 'including', 'said', 'say', 'says', 'well']);
const DIGITS: ReadonlyMap<string, string> = new Map(
  'one two three four five six seven eight nine ten eleven twelve'
    .split(' ')
    .map((word, index) => [word, String(index + 1)]),
);

/** Cuts a text into words and numbers, in reading order. Letters that join digits (`Q4`, `GPT-3`) make a name of both. */
export function claimTokens(text: string): readonly ClaimToken[] {
  const tokens: ClaimToken[] = [];
  let last = 0;
  let isFirst = true;
  for (const match of text.matchAll(TOKEN)) {
    const [raw] = match;
    const start = match.index;
    if (BEGINS.test(text.slice(last, start))) isFirst = true;
    last = start + raw.length;
    tokens.push({ start, end: last, ...classify(raw, isFirst) });
    isFirst = false;
  }
  return tokens;
}

function classify(raw: string, isFirst: boolean): Pick<ClaimToken, 'key' | 'kind' | 'digits'> {
  if (/^[$€£\d]/.test(raw)) return { key: raw.replace(/[^\d.]/g, '').replace(/\.0+$/, ''), kind: 'number' };
  const word = raw.toLowerCase().replace(/['’]s$/, '');
  const digits = DIGITS.get(word);
  if (NEGATION.test(word)) return { key: word, kind: 'negation' };
  if (STOPWORDS.has(word) || REPORTING.has(word)) return { key: word, kind: 'grammar', ...(digits && { digits }) };
  return { key: stem(word), kind: !isFirst && /^\p{Lu}/u.test(raw) ? 'name' : 'word', ...(digits && { digits }) };
}
