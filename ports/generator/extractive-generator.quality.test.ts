import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isAnswerable } from './extractive-generator.ts';
import type { GroundingPassage } from './generator.ts';
import { questionTerms, stemSet } from './question-terms.ts';
import { selectEvidence } from './select-evidence.ts';

/*
 * Chose the two thresholds of the extractive generator: questions of a product's documentation against that documentation, and
 * questions about other things against the same documentation.
 */
const EVAL = new URL('../../../shared/data/eval/', import.meta.url);
const SET = 'anthropic-docs-rag';
const OTHER_SETS = ['scifact', 'cranfield', 'hotpotqa-sample100', 'adi'];
const PASSAGES = 8;

interface Text {
  readonly _id: string;
  readonly title?: string;
  readonly text: string;
}

const lines = (path: string): Text[] =>
  readFileSync(new URL(path, EVAL), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Text);

describe.skipIf(!existsSync(new URL(`${SET}/corpus.jsonl`, EVAL)))('refusal (needs shared/data/eval)', () => {
  test('at least 90 % of unanswerable questions are refused and at most 10 % of answerable ones', () => {
    const retrieve = rankByWords(lines(`${SET}/corpus.jsonl`));
    const refusedShare = (questions: Text[]) =>
      questions.filter(({ text }) => !isAnswerable(selectEvidence(text, retrieve(text)))).length / questions.length;
    const answerable = refusedShare(lines(`${SET}/queries.jsonl`));
    const unanswerable = refusedShare(OTHER_SETS.flatMap((set) => lines(`${set}/queries.jsonl`).slice(0, 35)));
    process.stdout.write(
      `refused: ${(answerable * 100).toFixed(1)} % of answerable, ${(unanswerable * 100).toFixed(1)} % of unanswerable\n`,
    );
    expect(answerable).toBeLessThanOrEqual(0.1);
    expect(unanswerable).toBeGreaterThanOrEqual(0.9);
  });
});

/** Stands in for the store: overlap weighted by rarity is all that retrieval has to be here. */
function rankByWords(corpus: readonly Text[]): (question: string) => GroundingPassage[] {
  const documents = corpus.map((text) => ({ text, stems: stemSet(`${text.title ?? ''}\n${text.text}`) }));
  const frequency = new Map<string, number>();
  for (const { stems } of documents) for (const stem of stems) frequency.set(stem, (frequency.get(stem) ?? 0) + 1);
  return (question) => {
    const terms = questionTerms(question);
    return documents
      .map(({ text, stems }) => ({
        text,
        score:
          terms
            .filter(({ stem }) => stems.has(stem))
            .reduce((sum, { stem }) => sum + Math.log(1 + documents.length / (frequency.get(stem) ?? 1)), 0) /
          Math.log(50 + stems.size),
      }))
      .sort((a, b) => b.score - a.score)
      .slice(0, PASSAGES)
      .map(({ text }, i) => ({ marker: i + 1, rank: i + 1, title: text.title ?? '', text: text.text }));
  };
}
