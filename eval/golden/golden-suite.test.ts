import { expect, it } from 'vitest';
import { memoryCache } from '../../ports/cache/memory-cache.ts';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { documentId } from '../../schemas/ids.ts';
import { QUERY_CONFIG } from '../../test/support/query-api.ts';
import { runGoldenSuite } from './golden-suite.ts';
import type { GoldenQuestion } from './read-golden.ts';
import { citesGold, isFound, judgeGolden, scoreGolden, type GoldenOutcome } from './score-golden.ts';

const question = (changes: Partial<GoldenQuestion>): GoldenQuestion => ({
  id: 'q',
  question: 'q?',
  kind: 'single',
  documents: ['a'],
  quotes: [],
  answer: 'x',
  language: 'en',
  ...changes,
});
const outcome = (changes: Partial<GoldenOutcome>): GoldenOutcome => ({
  question: question({}),
  retrieved: [],
  refused: false,
  citations: [],
  ...changes,
});

it('one of several documents is enough for a single question, two documents must both be found', () => {
  const documents = ['a', 'b'];
  const retrieved = ['b', 'c'];
  expect(isFound(outcome({ question: question({ documents }), retrieved }))).toBe(true);
  expect(isFound(outcome({ question: question({ documents, kind: 'two-documents' }), retrieved }))).toBe(false);
});

it('a citation counts where it overlaps the gold quote, whatever the markup, and nowhere else', () => {
  const bodies = new Map([['a', 'First one.\n> **Second** `one`,\n> and more. Third one.']]);
  const gold = question({ quotes: ['**Second** `one`,\n> and more.'] });
  const cites = (documentId: string, quote: string) =>
    citesGold(outcome({ question: gold, citations: [{ documentId, quote }] }), bodies);
  expect(cites('a', 'Second one, and')).toBe(true);
  expect(cites('a', 'Third one.')).toBe(false);
  expect(cites('b', 'Second one, and')).toBe(false);
  expect(cites('a', '--')).toBe(false);
});

it('refusals are no answers, kinds and languages are scored apart, and nothing is divided by nothing', () => {
  const scores = scoreGolden(
    judgeGolden(
      [
        outcome({ refused: true }),
        outcome({ retrieved: ['a'] }),
        outcome({ question: question({ kind: 'unanswerable', language: 'de' }), refused: true }),
      ],
      new Map(),
    ),
  );
  const all = { mean: 1, low: 1, high: 1 };
  const none = { mean: 0, low: 0, high: 0 };
  const half = { mean: 0.5, low: 0, high: 1 };
  expect(scores).toEqual([
    { name: 'single', questions: 2, found: half, refused: half, cited: none },
    { name: 'unanswerable', questions: 1, found: undefined, refused: all, cited: undefined },
    { name: 'en, answerable', questions: 2, found: half, refused: half, cited: none },
    { name: 'de, unanswerable', questions: 1, found: undefined, refused: all, cited: undefined },
  ]);
});

it('questions are asked of an index that holds the documents under their own ids', async () => {
  const id = documentId({ source: 'shop', table: 'shop.articles', key: ['1'] });
  const body = 'You can return a bicycle within 30 days after delivery.';
  const asked = question({ question: 'Within how many days can I return a bicycle?', documents: [id], quotes: [body] });
  const parts = {
    embedder: hashEmbedder(),
    cache: memoryCache({ maxBytes: 1_000_000, clock: systemClock }),
    generator: extractiveGenerator(),
  };
  const report = await runGoldenSuite(
    {
      ...parts,
      questions: [asked],
      documents: [{ id, title: 'Returns', body, bodyFormat: 'text' }],
      config: QUERY_CONFIG.pipeline,
      clock: systemClock,
      metrics: createMetrics(),
      say: () => undefined,
    },
    new AbortController().signal,
  );
  expect(report.outcomes).toEqual([
    {
      question: asked,
      retrieved: [id],
      refused: false,
      citations: [{ documentId: id, quote: body }],
      found: true,
      citesGold: true,
    },
  ]);
  const all = { mean: 1, low: 1, high: 1 };
  const none = { mean: 0, low: 0, high: 0 };
  expect(report.scores[0]).toEqual({ name: 'single', questions: 1, found: all, refused: none, cited: all });
});
