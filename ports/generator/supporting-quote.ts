import type { GroundingPassage } from './generator.ts';
import { questionTerms, stemSet, type QuestionTerm } from './question-terms.ts';
import { splitSentences } from './split-sentences.ts';

/** Words of a passage that say what a claim says. */
export interface SupportingQuote {
  /** A substring of the passage's text. */
  readonly quote: string;
  /** Weighted share, 0 to 1, of the claim's content words that stand in the quote, or above it in the title. */
  readonly support: number;
}

/** A claim of one sentence may rest on this many of a passage that follow each other. */
const MAX_SENTENCES = 2;
/** Sentences that are further apart than this stand in different sections. */
const MAX_GAP_CHARS = 40;
/** A longer quote must be better by this much for each sentence more. */
const SENTENCE_COST = 0.08;
const NUMBER = /\d+(?:[.,]\d+)*/g;
const NEGATION = /\b(?:not|never|no|none|cannot|without|nor)\b|n['’]t\b/i;

/**
 * Finds the one or two sentences of a passage that support a claim best. Undefined when no sentence shares a content word with it, holds all its
 * numbers, or when it denies something and the sentence does not. Rules only: a claim may be a paraphrase that is missed, and words may agree where
 * the meaning does not. Pure.
 */
export function supportingQuote(claim: string, passage: GroundingPassage): SupportingQuote | undefined {
  const terms = questionTerms(claim);
  const numbers = numbersOf(claim);
  const denies = NEGATION.test(claim);
  const title = stemSet(passage.title);
  const spans = splitSentences(passage.text);
  let best: (SupportingQuote & { readonly rated: number }) | undefined;
  for (const [index, first] of spans.entries()) {
    let end = first.end;
    for (let extra = 0; extra < MAX_SENTENCES; extra++) {
      const last = spans[index + extra];
      if (!last || last.start - end > MAX_GAP_CHARS) break;
      end = last.end;
      const quote = passage.text.slice(first.start, end);
      if ((denies && !NEGATION.test(quote)) || !holdsAll(quote, numbers)) continue;
      const support = shareOf(terms, stemSet(quote), title);
      const rated = support - extra * SENTENCE_COST;
      if (support > 0 && rated > (best?.rated ?? 0)) best = { quote, support, rated };
    }
  }
  return best && { quote: best.quote, support: best.support };
}

/** Whether a text states something that has to be supported: a lead-in, a question or a heading does not. */
export function isStatement(text: string): boolean {
  const trimmed = text.trim();
  if (/[:：?？]$/.test(trimmed) || /^#{1,6}\s/.test(trimmed)) return false;
  return questionTerms(trimmed).length >= MIN_TERMS || /\d/.test(trimmed);
}

/** Fewer content words are an exclamation or a connection: "Yes.", "In short". */
const MIN_TERMS = 3;

function holdsAll(quote: string, numbers: ReadonlySet<string>): boolean {
  const held = numbersOf(quote);
  return [...numbers].every((number) => held.has(number));
}

function numbersOf(text: string): ReadonlySet<string> {
  return new Set(Array.from(text.matchAll(NUMBER), ([digits]) => digits.replaceAll(',', '')));
}

function shareOf(terms: readonly QuestionTerm[], quote: ReadonlySet<string>, title: ReadonlySet<string>): number {
  let held = 0;
  let quoted = 0;
  let all = 0;
  for (const { stem, weight } of terms) {
    all += weight;
    if (quote.has(stem)) quoted += weight;
    if (quote.has(stem) || title.has(stem)) held += weight;
  }
  return quoted === 0 ? 0 : held / all;
}
