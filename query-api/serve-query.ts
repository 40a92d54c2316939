import { FreshetError } from '../runtime/errors.ts';
import type { AnswerEvent } from '../schemas/answer.ts';
import type { Principal } from '../schemas/principal.ts';
import type { QueryRecord, QueryRoute } from '../schemas/query-record.ts';
import type { AnswerRequest, SearchRequest, SearchResponse } from '../schemas/query.ts';
import { answerQuestion } from './answer/answer-question.ts';
import { searchPassages } from './answer/search-passages.ts';
import type { RequestSignals } from './answer/wait-for-position.ts';
import type { QueryApiDeps } from './deps.ts';
import { assignArms } from './experiments/assign-arms.ts';

/** Who asks, and by which way. */
export interface Asking {
  readonly route: QueryRoute;
  readonly principal: Principal;
  readonly traceId: string;
  /** The participant of experiments, where the caller names one. */
  readonly unit: string | undefined;
  readonly signals: RequestSignals;
}

/** What is learnt of a question on its way; the record of it is made when it ends. */
type Learnt = { -readonly [K in keyof QueryRecord]?: QueryRecord[K] };

/** A search with its experiments and its record, as every surface offers it. @throws what `searchPassages` throws. */
export async function serveSearch(request: SearchRequest, asking: Asking, deps: QueryApiDeps): Promise<SearchResponse> {
  const { principal, traceId, signals } = asking;
  const { arms, settings } = assignArms(deps.config.experiments ?? [], principal, asking.unit);
  const asked = { ...settings, ...request };
  const watch = watchQuery({ question: request.query, ...asked }, arms, asking, deps);
  try {
    const reply = await searchPassages(asked, principal, { ...deps, sources: deps.config.sources }, traceId, signals);
    watch.learnt.outcome = reply.results.length > 0 ? 'found' : 'nothing-found';
    watch.learnt.passages = reply.results.map(({ passageId }) => passageId);
    watch.learnt.stepsMs = reply.timingsMs;
    return { ...reply, ...told(arms) };
  } catch (error) {
    watch.failed(error);
    throw error;
  } finally {
    watch.end();
  }
}

/** An answer with its experiments and its record. Events and errors are those of `answerQuestion`; whoever leaves early has aborted. */
export async function* serveAnswer(
  request: AnswerRequest,
  asking: Asking,
  deps: QueryApiDeps,
): AsyncGenerator<AnswerEvent, void> {
  const { principal, traceId, signals } = asking;
  const { arms, settings } = assignArms(deps.config.experiments ?? [], principal, asking.unit);
  const asked = { ...settings, ...request };
  const watch = watchQuery(asked, arms, asking, deps);
  try {
    for await (const event of answerQuestion(
      asked,
      principal,
      { ...deps, sources: deps.config.sources },
      traceId,
      signals,
    )) {
      watch.saw(event);
      yield event.event === 'done' ? { ...event, data: { ...event.data, ...told(arms) } } : event;
    }
  } catch (error) {
    watch.failed(error);
    throw error;
  } finally {
    watch.end();
  }
}

function told(arms: Readonly<Record<string, string>>) {
  return Object.keys(arms).length > 0 ? { experiments: arms } : {};
}

/** Gathers what the record of a question and the metrics of its arms are made of. */
function watchQuery(
  { question, k, mode, rerank }: AnswerRequest,
  arms: Readonly<Record<string, string>>,
  { route, principal, traceId, signals }: Asking,
  { clock, metrics, queryLog }: QueryApiDeps,
) {
  const at = clock.now();
  const since = clock.monotonicMs();
  const elapsedMs = () => Math.round((clock.monotonicMs() - since) * 1_000) / 1_000;
  const stepsMs: Record<string, number> = {};
  const learnt: Learnt = {};
  return {
    learnt,
    saw(event: AnswerEvent): void {
      if (event.event === 'retrieval') {
        stepsMs['retrieve'] = elapsedMs();
        learnt.passages = event.data.results.map(({ passageId }) => passageId);
      } else if (event.event === 'token') stepsMs['first-token'] ??= elapsedMs();
      else if (event.event === 'done') Object.assign(learnt, ofAnswer(event.data));
    },
    failed(error: unknown): void {
      learnt.outcome = signals.gone.aborted ? 'aborted' : 'failed';
      learnt.code = error instanceof FreshetError ? error.code : 'FRESHET_UNCLASSIFIED';
    },
    /** Once, last. */
    end(): void {
      const { outcome = 'aborted', ...rest } = learnt;
      stepsMs['total'] = elapsedMs();
      for (const [experiment, arm] of Object.entries(arms)) {
        metrics.experimentQueries.inc({ experiment, arm, outcome });
        metrics.experimentDuration.observe({ experiment, arm }, stepsMs['total'] / 1_000);
      }
      const asked = { ...(k !== undefined && { k }), ...(mode && { mode }), ...(rerank !== undefined && { rerank }) };
      const head = { at, traceId, route, tenant: principal.tenant, question, outcome };
      queryLog?.record({ ...head, ...asked, passages: [], stepsMs, ...rest, ...told(arms) });
    },
  };
}

function ofAnswer(answer: Extract<AnswerEvent, { event: 'done' }>['data']): Learnt {
  const { refused, cached, model, prompt, usage } = answer;
  return {
    outcome: refused ? 'refused' : 'answered',
    citations: answer.citations.map(({ passageId, version }) => ({ passageId, version })),
    answerChars: answer.answer.length,
    cached,
    model,
    ...(prompt !== undefined && { prompt }),
    usage,
  };
}
