import type { Cache } from '../../ports/cache/cache.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { Generator } from '../../ports/generator/generator.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { FilledPipeline } from '../../runtime/config/config.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Document } from '../../schemas/document.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { askPatiently } from '../answers/ask-patiently.ts';
import { documentOf, fillDocuments } from '../retrieval/fill-store.ts';
import type { GoldenQuestion } from './read-golden.ts';
import { judgeGolden, scoreGolden, type GoldenOutcome, type GoldenScore, type JudgedOutcome } from './score-golden.ts';

/** A document that the questions are about. */
export interface GoldenDocument {
  readonly id: DocumentId;
  readonly title: string;
  readonly body: string;
  readonly bodyFormat: Document['bodyFormat'];
}

export interface GoldenSuiteOptions {
  readonly questions: readonly GoldenQuestion[];
  readonly documents: readonly GoldenDocument[];
  readonly embedder: Embedder;
  readonly cache: Cache;
  readonly generator: Generator;
  readonly config: FilledPipeline;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Told what is under way. */
  readonly say: (line: string) => void;
}

export interface GoldenReport {
  readonly suite: 'golden';
  readonly model: string;
  readonly generator: string;
  readonly documents: number;
  readonly scores: readonly GoldenScore[];
  /** In the order of the questions. */
  readonly outcomes: readonly JudgedOutcome[];
}

/** Fills an index of its own with the documents and asks every question as `/v1/answer` would, one after the other. */
export async function runGoldenSuite(options: GoldenSuiteOptions, signal: AbortSignal): Promise<GoldenReport> {
  const { questions, documents, embedder, generator, clock, say } = options;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  const onProgress = (done: number) =>
    say(`golden: ${Math.min(done, documents.length)} of ${documents.length} documents`);
  await fillDocuments(
    documents.map(({ id, title, body, bodyFormat }) =>
      documentOf(id, { title, parts: [{ name: 'body', text: body }], bodyFormat }, clock),
    ),
    { ...options, store, onProgress },
    signal,
  );
  const deps = { ...options, store };
  const outcomes: GoldenOutcome[] = [];
  for (const question of questions) outcomes.push(await ask(question, deps, signal));
  const judged = judgeGolden(outcomes, new Map(documents.map(({ id, body }) => [id as string, body])));
  return {
    suite: 'golden',
    model: embedder.model.name,
    generator: generator.model,
    documents: documents.length,
    scores: scoreGolden(judged),
    outcomes: judged,
  };
}

async function ask(
  question: GoldenQuestion,
  deps: Parameters<typeof askPatiently>[1],
  signal: AbortSignal,
): Promise<GoldenOutcome> {
  const { answer, results } = await askPatiently(question.question, deps, signal);
  return {
    question,
    retrieved: [...new Set(results.map(({ documentId }) => documentId))],
    refused: answer.refused,
    citations: answer.citations.map(({ documentId, quote }) => ({ documentId, quote })),
  };
}
