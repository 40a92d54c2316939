import type { GroundingPassage } from './generator.ts';
import { questionTerms, stemSet, type QuestionTerm } from './question-terms.ts';
import { splitSentences, type SentenceSpan } from './split-sentences.ts';

/** A sentence chosen as evidence: `quote` is a substring of the passage with this marker. */
export interface Evidence {
  readonly marker: number;
  readonly quote: string;
  readonly kind: SentenceSpan['kind'];
}

/** The sentences that answer best, and how much of the question they cover. */
export interface Selection {
  readonly evidence: readonly Evidence[];
  /** Weighted share, 0 to 1, of the question's content words that the best single passage holds. */
  readonly passageCoverage: number;
  /** The same over the chosen sentences, with the titles above them. */
  readonly evidenceCoverage: number;
}

const MAX_SENTENCES = 4;
/** A further sentence must be nearly as good as the best one, or add words of the question that none has so far. */
const FURTHER_SCORE_SHARE = 0.62;
const FURTHER_NEW_TERMS = 0.12;
/** Weight of a question word that stands in the title or heading only. */
const TITLE_WEIGHT = 0.35;
/** Weight of a question word that stands in the sentence just before: answers refer back ("It ..."). */
const CONTEXT_WEIGHT = 0.3;
/** How fast trust in retrieval falls with rank. */
const RANK_DECAY = 0.06;
const CODE_PENALTY = 0.7;
/** A line without an end is a label or a heading more often than a statement. */
const UNFINISHED_PENALTY = 0.75;
/** `CasesTips`, `FeatureCreating`: menu entries that an extractor glued together. */
const GLUED = /\p{Ll}\p{Lu}\p{Ll}{2}/gu;
const GLUED_PENALTY = 0.3;
const QUESTION_PENALTY = 0.4;
/** "... include:" says nothing without the list after it. */
const LIST_SPANS = 8;
const LIST_CHARS = 600;
const LIST_GAP_CHARS = 40;
/** Shorter pieces are labels; they count only inside a list. */
const MIN_SENTENCE_CHARS = 15;

interface Candidate extends Evidence {
  readonly stems: ReadonlySet<string>;
  readonly context: ReadonlySet<string>;
  readonly title: ReadonlySet<string>;
  readonly rank: number;
}

/** Picks the one to four sentences of the passages that answer best, best first, and says how well they cover the question. */
export function selectEvidence(question: string, passages: readonly GroundingPassage[]): Selection {
  const terms = questionTerms(question);
  const candidates = passages.flatMap(candidatesOf);
  const weights = inverseFrequency(terms, candidates);
  const scored = candidates
    .map((candidate) => ({ candidate, score: score(candidate, terms, weights) }))
    .filter(({ score: value }) => value > 0)
    .sort((a, b) => b.score - a.score || a.candidate.rank - b.candidate.rank);
  const chosen = choose(scored, terms);
  const seen = (candidate: Candidate) => new Set([...candidate.stems, ...candidate.title]);
  return {
    evidence: chosen.map(({ marker, quote, kind }) => ({ marker, quote, kind })),
    passageCoverage: Math.max(
      0,
      ...passages.map((passage) => coverage(terms, [stemSet(`${passage.title}\n${passage.text}`)])),
    ),
    evidenceCoverage: coverage(terms, chosen.map(seen)),
  };
}

function candidatesOf(passage: GroundingPassage): Candidate[] {
  const title = stemSet(passage.title);
  let context: ReadonlySet<string> = new Set();
  const spans = splitSentences(passage.text);
  return spans.flatMap((span, index) => {
    if (span.end - span.start < MIN_SENTENCE_CHARS) return [];
    const quote = passage.text.slice(span.start, endWithList(passage.text, spans, index));
    const stems = stemSet(quote);
    const candidate = { marker: passage.marker, quote, kind: span.kind, stems, context, title, rank: passage.rank };
    context = stems;
    const repeatsTitle = [...stems].every((stem) => title.has(stem));
    return repeatsTitle ? [] : [candidate];
  });
}

/** Where the quote that begins with span `index` ends: after the list, when the sentence announces one. */
function endWithList(text: string, spans: readonly SentenceSpan[], index: number): number {
  const first = spans[index];
  let end = first?.end ?? 0;
  if (!first || !/[:：]$/.test(text.slice(first.start, end))) return end;
  for (const [i, next] of spans.slice(index + 1, index + 1 + LIST_SPANS).entries()) {
    const gap = text.slice(end, next.start);
    const isListed = /^\s*(?:[-*+•]|\d{1,3}[.)])\s/.test(gap) || (i === 0 && next.kind === 'prose');
    if (!isListed || next.end - first.start > LIST_CHARS || gap.length > LIST_GAP_CHARS) break;
    end = next.end;
  }
  return end;
}

/** A question word that every candidate holds says little about which one to choose. */
function inverseFrequency(
  terms: readonly QuestionTerm[],
  candidates: readonly Candidate[],
): ReadonlyMap<string, number> {
  return new Map(
    terms.map(({ stem, weight }) => {
      const holders = candidates.filter((candidate) => candidate.stems.has(stem)).length;
      return [stem, weight * Math.log(1 + (candidates.length + 1) / (holders + 0.5))];
    }),
  );
}

function score(candidate: Candidate, terms: readonly QuestionTerm[], weights: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const { stem } of terms) {
    const weight = weights.get(stem) ?? 0;
    if (candidate.stems.has(stem)) sum += weight;
    else if (candidate.title.has(stem)) sum += weight * TITLE_WEIGHT;
    else if (candidate.context.has(stem)) sum += weight * CONTEXT_WEIGHT;
  }
  // Very short sentences repeat the question, very long ones hold everything: both lose a little.
  const length = candidate.stems.size;
  const lengthFactor = length < 6 ? 0.6 + length / 15 : 1 / (1 + Math.max(0, length - 30) / 60);
  const kindFactor = candidate.kind === 'code' ? CODE_PENALTY : 1;
  return (sum * lengthFactor * kindFactor * proseFactor(candidate)) / (1 + RANK_DECAY * (candidate.rank - 1));
}

function proseFactor({ quote, kind }: Candidate): number {
  if (kind === 'code') return 1;
  if ((quote.match(GLUED)?.length ?? 0) >= 3) return GLUED_PENALTY;
  if (/[?？]$/.test(quote)) return QUESTION_PENALTY;
  return /[.!。！…)\]"'”’`*|:：]$/.test(quote) ? 1 : UNFINISHED_PENALTY;
}

function choose(
  scored: readonly { readonly candidate: Candidate; readonly score: number }[],
  terms: readonly QuestionTerm[],
): readonly Candidate[] {
  const best = scored[0];
  if (!best) return [];
  const chosen = [best.candidate];
  for (const { candidate, score: value } of scored.slice(1)) {
    if (chosen.length >= MAX_SENTENCES || value < best.score * 0.3) break;
    if (chosen.some((other) => overlap(candidate.stems, other.stems) > 0.7)) continue;
    const before = coverage(
      terms,
      chosen.map((one) => one.stems),
    );
    const after = coverage(
      terms,
      [...chosen, candidate].map((one) => one.stems),
    );
    if (value >= best.score * FURTHER_SCORE_SHARE || after - before >= FURTHER_NEW_TERMS) chosen.push(candidate);
  }
  return chosen;
}

/** Share of the smaller set that is in the other: near 1 for repeated sentences. */
function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let shared = 0;
  for (const stem of small) if (large.has(stem)) shared++;
  return small.size === 0 ? 1 : shared / small.size;
}

function coverage(terms: readonly QuestionTerm[], sets: readonly ReadonlySet<string>[]): number {
  let held = 0;
  let all = 0;
  for (const { stem, weight } of terms) {
    all += weight;
    if (sets.some((set) => set.has(stem))) held += weight;
  }
  return all === 0 ? 0 : held / all;
}
