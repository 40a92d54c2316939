import type { DocumentStore, Hit } from '../../ports/document-store/document-store.ts';
import type { GenerateTrace } from '../../ports/generator/generator.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import type {
  AnswerExplanation,
  AnswerPassage,
  ExplainedStatement,
  RetrievalExplanation,
} from '../../schemas/explanation.ts';
import type { Principal } from '../../schemas/principal.ts';
import { mayRead } from '../may-read.ts';
import type { Retrieval } from './retrieve.ts';
import type { Timings } from './step-timer.ts';

/** Collects why one answer is as it is, while it is made. */
export interface AnswerTrace {
  readonly startedAt: number;
  readonly generate: GenerateTrace;
  readonly rejectedQuotes: { readonly marker: number }[];
  /** ms by step, added up. */
  readonly timingsMs: Timings;
  /** Whether it was the generator that said that the passages hold no answer. */
  refusedByGenerator: boolean;
}

/** @param passages how many the generator is given; it says itself when it reads fewer. */
export function answerTrace(startedAt: number, passages: number): AnswerTrace {
  return {
    startedAt,
    generate: { read: Array.from({ length: passages }, (_, index) => index + 1), cut: undefined, statements: [] },
    rejectedQuotes: [],
    timingsMs: {},
    refusedByGenerator: false,
  };
}

/** Adds `ms` to a step, where somebody wants to know. */
export function addTime(trace: AnswerTrace | undefined, step: string, ms: number): void {
  if (!trace) return;
  const { timingsMs } = trace;
  timingsMs[step] = Math.round(((timingsMs[step] ?? 0) + ms) * 1_000) / 1_000;
}

/**
 * Why an answer is as it is: how its passages were found, and what was made of them. Reads the documents once more, so that one which was
 * withdrawn from the caller while the answer was written is not named (I10). Undefined when the retrieval was not explained.
 * @throws what `store.read` throws.
 */
export async function explainAnswer(
  trace: AnswerTrace,
  { explanation, hits, timingsMs }: Retrieval,
  answer: AnswerResponse,
  principal: Principal,
  { store, clock }: { readonly store: DocumentStore; readonly clock: Clock },
  signal: AbortSignal,
): Promise<AnswerExplanation | undefined> {
  if (!explanation) return undefined;
  const ids = [...new Set(explanation.passages.map(({ documentId }) => documentId))] as Hit['documentId'][];
  const documents = ids.length === 0 ? [] : await store.read(ids, {}, signal);
  const readable = new Set<string>(
    documents.flatMap((each) => (each && !each.deleted && mayRead(principal, each) ? [each.id] : [])),
  );
  const passages = describePassages(explanation, hits, answer, trace.generate);
  const { total: _total, ...steps } = timingsMs;
  addTime(trace, 'total', clock.monotonicMs() - trace.startedAt);
  return {
    ...explanation,
    passages: passages.filter(({ documentId }) => readable.has(documentId)),
    statements: withoutHidden(
      trace.generate.statements,
      passages.flatMap(({ documentId, marker }) => (readable.has(documentId) ? [] : [marker])),
    ),
    rejectedQuotes: trace.rejectedQuotes.map(({ marker }) => ({ marker })),
    ...(answer.refused && { refusedBy: refusedBy(hits, trace) }),
    timingsMs: { ...steps, ...trace.timingsMs },
  };
}

/** Each passage with its way into the answer. Pure. */
function describePassages(
  { passages }: RetrievalExplanation,
  hits: readonly Hit[],
  { citations }: AnswerResponse,
  { read, cut }: GenerateTrace,
): readonly AnswerPassage[] {
  const markers = new Map<string, number>(hits.map(({ passage }, index) => [passage.id, index + 1]));
  const cited = new Set(citations.map(({ marker }) => marker));
  return passages.map(({ outcome: found, ...passage }): AnswerPassage => {
    const marker = markers.get(passage.passageId);
    if (marker === undefined) return { ...passage, outcome: found === 'copy' ? found : 'beyond-k' };
    const outcome = cited.has(marker) ? 'cited' : read.includes(marker) ? 'read' : 'over-budget';
    return { ...passage, outcome, marker, ...(cut === marker && { cut: true }) };
  });
}

/** A sentence that rests on no passage may have been written from any of them, so that it goes with any that is hidden. */
function withoutHidden(
  statements: readonly ExplainedStatement[],
  hidden: readonly (number | undefined)[],
): ExplainedStatement[] {
  if (hidden.length === 0) return [...statements];
  return statements.filter(({ markers }) => markers.length > 0 && !markers.some((marker) => hidden.includes(marker)));
}

function refusedBy(hits: readonly Hit[], { refusedByGenerator }: AnswerTrace): AnswerExplanation['refusedBy'] & string {
  if (hits.length === 0) return 'retrieval';
  return refusedByGenerator ? 'generator' : 'verification';
}
