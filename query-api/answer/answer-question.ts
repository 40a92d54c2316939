import type { Hit } from '../../ports/document-store/document-store.ts';
import type { GenerateEvent, GenerateRequest, Generator } from '../../ports/generator/generator.ts';
import { UNVERIFIED } from '../../ports/generator/ground-answer.ts';
import { EvidenceWithdrawn, FreshetError, GeneratorUnavailable } from '../../runtime/errors.ts';
import type { AnswerEvent, AnswerResponse, Citation } from '../../schemas/answer.ts';
import type { Principal } from '../../schemas/principal.ts';
import type { AnswerRequest } from '../../schemas/query.ts';
import { mayRead } from '../may-read.ts';
import type { RecentAnswers } from '../recent-answers.ts';
import type { AnswerCache, Turn } from './cache/answer-cache.ts';
import type { AnswerEntry, AnswerPiece } from './cache/answer-entry.ts';
import { answerKey } from './cache/answer-key.ts';
import { auditAnswer } from './cache/audit-answer.ts';
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
  /** Absent: every answer is written. */
  readonly answers?: AnswerCache;
  readonly generateDeadlineMs?: number;
  /** Absent: nobody rates these answers. */
  readonly recentAnswers?: RecentAnswers;
}

interface Draft {
  text: string;
  readonly citations: Citation[];
  /** What was sent, in order. */
  readonly pieces: AnswerPiece[];
  /** A citation did not hold and was left out. */
  isFlawed: boolean;
  done: Extract<GenerateEvent, { kind: 'done' }> | undefined;
}

/**
 * Answers a question from the index, as events in this order: `retrieval`, then `token` and `citation`, then `done`. The order of the
 * steps and their deadlines: retrieve (`waitMs`, embed 300 ms) -> pack -> generate (60 s), or the answer that was written from exactly this evidence ->
 * verify each citation as it comes -> check that what is cited may still be read -> done. Nothing is generated without a passage. An answer
 * without a citation that holds is a refusal. Both signals stop the generator.
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
  const retrieval = await retrieve(
    { ...shared, query: question },
    principal,
    { ...deps, withoutCopies: true },
    signals,
  );
  const { hits, asOf } = retrieval;
  yield { event: 'retrieval', data: { results: hits.map(toSearchResult), asOf, traceId } };

  const trace = request.explain ? answerTrace(startedAt, hits.length) : undefined;
  const asked = { question, principal, retrieval, traceId, signals, ...(trace && { trace }) };
  const { answers, generator } = deps;
  if (!answers || hits.length === 0 || trace) {
    yield* write(asked, deps, () => Promise.resolve());
    return;
  }
  const { model, prompt } = generator;
  const key = answerKey({ question, principal, hits, model, prompt, settings: answers.settings });
  const turn = await answers.take(key, signals.gone);
  if (turn.kind === 'hit') {
    const kept = verified(turn.entry, hits);
    if (kept) {
      yield* giveAgain(turn.entry, kept, asked, deps);
      return;
    }
    await answers.forget(key); // somebody has written into the cache who should not
  }
  yield* writeFor(turn.kind === 'write' ? turn : { kind: 'write' }, key, asked, deps, answers);
}

/** A question with what was found for it. */
interface Asked {
  readonly question: string;
  readonly principal: Principal;
  readonly retrieval: Retrieval;
  readonly traceId: string;
  readonly signals: RequestSignals;
  /** Of a question that wants to know why: it is always answered anew. */
  readonly trace?: ReturnType<typeof answerTrace>;
}

/** Writes an answer that others may be given, too, and tells those who wait for it. */
async function* writeFor(
  { flight, audited }: Extract<Turn, { kind: 'write' }>,
  key: string,
  asked: Asked,
  deps: AnswerDeps,
  answers: AnswerCache,
): AsyncIterable<AnswerEvent> {
  const { hits } = asked.retrieval;
  try {
    yield* write(asked, deps, async (draft) => {
      const entry = admissible(draft, asked.retrieval, deps.generator);
      const isKept = entry && (await answers.admit(key, entry, hits, deps.store, asked.signals.left));
      flight?.end(isKept ? { kind: 'ready', value: entry } : { kind: 'unfit' });
      const kept = audited && verified(audited, hits);
      if (!kept) return;
      const documents = await deps.store.read(documentsOf(kept), {}, asked.signals.left);
      answers.audited(auditAnswer(kept, { refused: draft.done?.refused ?? true, ...draft }, documents));
    });
  } catch (error) {
    if (!asked.signals.gone.aborted) flight?.end({ kind: 'unfit' });
    throw error;
  } finally {
    flight?.end({ kind: 'abandoned' }); // the reader left before the end
  }
}

/** @param written is told of the whole answer before `done`. */
async function* write(
  asked: Asked,
  deps: AnswerDeps,
  written: (draft: Draft) => Promise<void>,
): AsyncIterable<AnswerEvent> {
  const { question, principal, retrieval, traceId, signals, trace } = asked;
  const { hits } = retrieval;
  const draft: Draft = { text: '', citations: [], pieces: [], isFlawed: false, done: undefined };
  const generatingAt = deps.clock.monotonicMs();
  const packed = { ...pack(question, hits), ...(trace && { trace: trace.generate }) };
  for await (const event of generate(packed, deps, signals.gone)) {
    switch (event.kind) {
      case 'token':
        draft.text += event.text;
        draft.pieces.push(event);
        yield { event: 'token', data: { text: event.text } };
        break;
      case 'citation': {
        const citation = verifyCitation(event, hits);
        if (!citation) {
          draft.isFlawed = true;
          trace?.rejectedQuotes.push({ marker: event.marker });
        }
        if (!citation || isRepeated(citation, draft.citations)) break;
        await requireReadable([citation], principal, deps, signals.left);
        draft.citations.push(citation);
        draft.pieces.push(event);
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
  await written(draft);
  await requireReadable(draft.citations, principal, deps, signals.left);
  const data = conclude(draft, retrieval, deps, traceId);
  deps.recentAnswers?.add(data, principal.tenant);
  const explanation = trace && (await explainAnswer(trace, retrieval, data, principal, deps, signals.left));
  yield { event: 'done', data: { ...data, ...(explanation && { explanation }) } };
}

/** An answer that was written before from the same evidence, with times and positions of this request. It costs no tokens. */
async function* giveAgain(
  { pieces, model, prompt }: AnswerEntry,
  citations: readonly Citation[],
  { principal, retrieval, traceId, signals }: Asked,
  deps: AnswerDeps,
): AsyncIterable<AnswerEvent> {
  await requireReadable(citations, principal, deps, signals.left);
  const coming = citations.values();
  let answer = '';
  for (const piece of pieces) {
    if (piece.kind === 'token') {
      answer += piece.text;
      yield { event: 'token', data: { text: piece.text } };
      continue;
    }
    const { value: citation } = coming.next();
    if (citation) yield { event: 'citation', data: citation };
  }
  // The reader may have taken his time.
  await requireReadable(citations, principal, deps, signals.left);
  const { asOf, reranked } = retrieval;
  const data: AnswerResponse = {
    answer,
    citations: [...citations],
    refused: false,
    cached: true,
    asOf,
    ...(reranked !== undefined && { reranked }),
    model,
    ...(prompt !== undefined && { prompt }),
    usage: { promptTokens: 0, completionTokens: 0 },
    traceId,
  };
  deps.recentAnswers?.add(data, principal.tenant);
  yield { event: 'done', data };
}

/** The citations of a kept answer against the passages of this request, in order; undefined unless there are some and all hold. */
function verified({ pieces }: AnswerEntry, hits: readonly Hit[]): readonly Citation[] | undefined {
  const citations: Citation[] = [];
  for (const piece of pieces) {
    if (piece.kind === 'token') continue;
    const citation = verifyCitation(piece, hits);
    if (!citation) return undefined;
    citations.push(citation);
  }
  return citations.length > 0 ? citations : undefined;
}

/**
 * The answer as it may be given again; undefined for one that was refused, cut, has a statement without support or a citation that did not hold, was written by
 * a generator of second choice, or from less than the search asks for: the next one may be better.
 */
function admissible(
  { text, pieces, citations, isFlawed, done }: Draft,
  { degraded, reranked }: Retrieval,
  { model }: Generator,
): AnswerEntry | undefined {
  if (!done || done.refused || done.reason !== undefined || (done.model ?? model) !== model) return undefined;
  if (isFlawed || citations.length === 0 || text.includes(UNVERIFIED.trim())) return undefined;
  if (degraded.length > 0 || reranked === false) return undefined;
  return { pieces, model, ...(done.prompt !== undefined && { prompt: done.prompt }) };
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
  const ids = documentsOf(citations);
  if (ids.length === 0) return;
  for (const document of await store.read(ids, {}, signal)) {
    if (!document || document.deleted || !mayRead(principal, document))
      throw new EvidenceWithdrawn('A document that the answer is based on is no longer there for the caller.');
  }
}

function documentsOf(citations: readonly Citation[]): Hit['documentId'][] {
  return [...new Set(citations.map((citation) => citation.documentId))] as Hit['documentId'][];
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
