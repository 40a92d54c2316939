import type { Cache } from '../../ports/cache/cache.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { Generator } from '../../ports/generator/generator.ts';
import { answerQuestion, type AnswerDeps } from '../../query-api/answer/answer-question.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { FilledPipeline } from '../../runtime/config/config.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Document } from '../../schemas/document.ts';
import { parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { fillDocuments, PRINCIPAL } from '../retrieval/fill-store.ts';
import type { GoldenQuestion } from './read-golden.ts';
import { scoreGolden, type GoldenOutcome, type GoldenScore } from './score-golden.ts';

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
  readonly model: string;
  readonly generator: string;
  readonly documents: number;
  readonly scores: readonly GoldenScore[];
  /** In the order of the questions. */
  readonly outcomes: readonly GoldenOutcome[];
}

/** A question waits for its vector as long as it takes, so that a busy machine changes the time and not the figures, ms. */
const EMBED_DEADLINE_MS = 60_000;

/** Fills an index of its own with the documents and asks every question as `/v1/answer` would, one after the other. */
export async function runGoldenSuite(options: GoldenSuiteOptions, signal: AbortSignal): Promise<GoldenReport> {
  const { questions, documents, embedder, generator, clock, say } = options;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  const onProgress = (done: number) =>
    say(`golden: ${Math.min(done, documents.length)} of ${documents.length} documents`);
  await fillDocuments(
    documents.map((each) => asIndexed(each, clock)),
    { ...options, store, onProgress },
    signal,
  );
  const deps = { ...options, store, sources: [], logger: silentLogger, embedDeadlineMs: EMBED_DEADLINE_MS };
  const outcomes: GoldenOutcome[] = [];
  for (const question of questions) outcomes.push(await ask(question, deps, signal));
  const bodies = new Map(documents.map(({ id, body }) => [id as string, body]));
  return {
    model: embedder.model.name,
    generator: generator.model,
    documents: documents.length,
    scores: scoreGolden(outcomes, bodies),
    outcomes,
  };
}

async function ask(question: GoldenQuestion, deps: AnswerDeps, signal: AbortSignal): Promise<GoldenOutcome> {
  let outcome: GoldenOutcome = { question, retrieved: [], refused: true, citations: [] };
  const signals = { gone: signal, left: signal };
  for await (const event of answerQuestion({ question: question.question }, PRINCIPAL, deps, question.id, signals)) {
    if (event.event === 'retrieval')
      outcome = { ...outcome, retrieved: [...new Set(event.data.results.map(({ documentId }) => documentId))] };
    if (event.event === 'done') {
      const { refused, citations } = event.data;
      outcome = { ...outcome, refused, citations: citations.map(({ documentId, quote }) => ({ documentId, quote })) };
    }
  }
  return outcome;
}

function asIndexed({ id, title, body, bodyFormat }: GoldenDocument, clock: Clock): Document {
  const { source = '', table = '', key = [] } = parseDocumentId(id) ?? {};
  return {
    kind: 'document',
    id,
    version: sourceVersion(0, 1n),
    source: { name: source, table, key: key.join(',') },
    position: '0/1',
    committedAt: clock.now(),
    tenant: PRINCIPAL.tenant,
    acl: null,
    title,
    parts: [{ name: 'body', text: body }],
    bodyFormat,
    metadata: {},
  };
}
