import type { Hit } from '../../ports/document-store/document-store.ts';
import type { GenerateEvent, GenerateRequest, Generator } from '../../ports/generator/generator.ts';
import { EvidenceWithdrawn, FreshetError, GeneratorUnavailable } from '../../runtime/errors.ts';
import type { AnswerEvent, AnswerResponse, Citation } from '../../schemas/answer.ts';
import type { Principal } from '../../schemas/principal.ts';
import type { AnswerRequest } from '../../schemas/query.ts';
import { mayRead } from '../may-read.ts';
import type { RecentAnswers } from '../recent-answers.ts';
import { addTime, answerTrace, explainAnswer } from './explain-answer.ts';
import type { RequestSignals } from './wait-for-position.ts';
import { retrieve, type RetrieveDeps, type Retrieval } from './retrieve.ts';
import { toSearchResult } from './search-result.ts';
import { verifyCitation } from './verify-citations.ts';

/** A generator that has not finished by then has stalled, ms. */
export const GENERATE_DEADLINE_MS = 60_000;

const UNSUPPORTED = "I don't know: no statement could be tied to an indexed passage.";

export interface AnswerDeps extends RetrieveDeps {
  readonly generator: Generator;
  readonly generateDeadlineMs?: number;
  /** Absent: nobody rates these answers. */
  readonly recentAnswers?: RecentAnswers;
}

interface Draft {
  text: string;
  readonly citations: Citation[];
  done: Extract<GenerateEvent, { kind: 'done' }> | undefined;
}

/**
 * Answers a question from the index, as events in this order: `retrieval`, then `token` and `citation`, then `done`. The order of the
 * steps and their deadlines: retrieve (`waitMs`, embed 300 ms) -> pack -> generate (60 s) -> verify each citation as it comes ->
 * check that what is cited may still be read -> done. Nothing is generated without a passage. An answer without a citation that holds
 * is a refusal. Both signals stop the generator.
 * @throws what `retrieve` throws, GeneratorUnavailable, EvidenceWithdrawn; the caller turns it into an `error` event or a problem.
 */
export async function* answerQuestion(
  request: AnswerRequest,
  principal: Principal,
  deps: AnswerDeps,
  traceId: string,
  signals: RequestSignals,
): AsyncIterable<AnswerEvent> {
  const { question, stream: _stream, ...shared } = request;
  const startedAt = deps.clock.monotonicMs();
  const retrieval = await retrieve({ ...shared, query: question }, principal, deps, signals);
  const { hits, asOf } = retrieval;
  yield { event: 'retrieval', data: { results: hits.map(toSearchResult), asOf, traceId } };

  const trace = request.explain ? answerTrace(startedAt, hits.length) : undefined;
  const generatingAt = deps.clock.monotonicMs();
  const draft: Draft = { text: '', citations: [], done: undefined };
  const packed = { ...pack(question, hits), ...(trace && { trace: trace.generate }) };
  for await (const event of generate(packed, deps, signals.gone)) {
    switch (event.kind) {
      case 'token':
        draft.text += event.text;
        yield { event: 'token', data: { text: event.text } };
        break;
      case 'citation': {
        const citation = verifyCitation(event, hits);
        if (!citation) trace?.rejectedQuotes.push({ marker: event.marker });
        if (!citation || isRepeated(citation, draft.citations)) break;
        await requireReadable([citation], principal, deps, signals.left);
        draft.citations.push(citation);
        yield { event: 'citation', data: citation };
        break;
      }
      case 'done':
        draft.done = event;
        if (trace) trace.refusedByGenerator = event.refused;
        break;
    }
  }
  addTime(trace, 'generate', deps.clock.monotonicMs() - generatingAt);
  await requireReadable(draft.citations, principal, deps, signals.left);
  const data = conclude(draft, retrieval, deps, traceId);
  deps.recentAnswers?.add(data, principal.tenant);
  const explanation = trace && (await explainAnswer(trace, retrieval, data, principal, deps, signals.left));
  yield { event: 'done', data: { ...data, ...(explanation && { explanation }) } };
}

/** Numbers the passages as the prompt shows them: markers count from 1 in rank order. */
function pack(question: string, hits: readonly Hit[]): GenerateRequest {
  return {
    question,
    passages: hits.map(({ title, passage }, index) => ({
      marker: index + 1,
      rank: index + 1,
      title: [title, ...passage.headings].filter((heading) => heading !== '').join(' › '),
      text: passage.text,
    })),
  };
}

async function* generate(
  request: GenerateRequest,
  deps: AnswerDeps,
  signal: AbortSignal,
): AsyncIterable<GenerateEvent> {
  const attempt = new AbortController();
  const either = AbortSignal.any([signal, attempt.signal]);
  const timeout = deps.clock.sleep(deps.generateDeadlineMs ?? GENERATE_DEADLINE_MS, either).then(
    () => attempt.abort(new GeneratorUnavailable('The answer was not finished in time.')),
    () => undefined, // the answer came first
  );
  const since = deps.clock.monotonicMs();
  try {
    yield* deps.generator.generate(request, either);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof FreshetError) throw cause;
    throw new GeneratorUnavailable('The generator failed.', { cause });
  } finally {
    attempt.abort();
    await timeout;
    deps.metrics.queryStepDuration.observe({ step: 'generate' }, (deps.clock.monotonicMs() - since) / 1_000);
  }
}

/** A document may be deleted or closed to the caller while its answer is written; it must not be cited then (I2, I10). */
async function requireReadable(
  citations: readonly Citation[],
  principal: Principal,
  { store }: AnswerDeps,
  signal: AbortSignal,
): Promise<void> {
  const ids = [...new Set(citations.map((citation) => citation.documentId))] as Hit['documentId'][];
  if (ids.length === 0) return;
  for (const document of await store.read(ids, {}, signal)) {
    if (!document || document.deleted || !mayRead(principal, document))
      throw new EvidenceWithdrawn('A document that the answer is based on is no longer there for the caller.');
  }
}

function isRepeated(citation: Citation, citations: readonly Citation[]): boolean {
  return citations.some((other) => other.marker === citation.marker && other.quote === citation.quote);
}

function conclude(draft: Draft, { asOf, reranked }: Retrieval, deps: AnswerDeps, traceId: string): AnswerResponse {
  const { done, citations } = draft;
  if (!done) throw new GeneratorUnavailable('The generator ended without saying that it was done.');
  const isUnsupported = !done.refused && citations.length === 0;
  const reason = isUnsupported ? 'no citation could be verified' : done.reason;
  return {
    answer: isUnsupported ? UNSUPPORTED : draft.text,
    citations: done.refused ? [] : citations,
    refused: done.refused || isUnsupported,
    ...(reason !== undefined && { reason }),
    cached: false,
    asOf,
    ...(reranked !== undefined && { reranked }),
    model: done.model ?? deps.generator.model,
    ...(done.prompt !== undefined && { prompt: done.prompt }),
    usage: done.usage,
    traceId,
  };
}
