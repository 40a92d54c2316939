import type { GenerateEvent, GenerateRequest, Generator } from './generator.ts';
import { DONT_KNOW } from './refusal.ts';
import { isLikelyAnswer, judgeEvidence, type OpenJudge } from './judge-evidence.ts';
import { selectEvidence, type Selection } from './select-evidence.ts';

/** Below this share of the question's content words in the best passage, or in the chosen sentences, there is no evidence. Tuned in extractive-generator.quality.test.ts. */
const MIN_PASSAGE_COVERAGE = 0.55;
const MIN_EVIDENCE_COVERAGE = 0.5;

const CHARS_PER_TOKEN = 4;

/**
 * Answers with the best one to four sentences of the passages, letter for letter, each followed by its citation. Needs no model and
 * invents nothing; says that it does not know when the passages cover too little of the question, or a judge that reads both finds no answer.
 * @param openJudge asked once, for the first question; closed with the generator. Absent: words alone decide.
 */
export function extractiveGenerator(openJudge?: OpenJudge): Generator {
  let opened: ReturnType<OpenJudge> | undefined;
  const judge = openJudge && (() => (opened ??= openJudge()));
  return {
    model: 'extractive',
    generate: (request, signal) => extract(request, judge, signal),
    [Symbol.asyncDispose]: async () => {
      const reranker = await opened?.catch(() => undefined); // it could not be opened: nothing to close
      await reranker?.[Symbol.asyncDispose]();
    },
  };
}

/** Whether a selection is enough to answer from. */
export function isAnswerable(selection: Selection): boolean {
  return (
    selection.evidence.length > 0 &&
    selection.passageCoverage >= MIN_PASSAGE_COVERAGE &&
    selection.evidenceCoverage >= MIN_EVIDENCE_COVERAGE
  );
}

async function* extract(
  request: GenerateRequest,
  openJudge: OpenJudge | undefined,
  signal: AbortSignal,
): AsyncIterable<GenerateEvent> {
  signal.throwIfAborted();
  const selection = selectEvidence(request.question, request.passages);
  const promptChars = request.passages.reduce((sum, passage) => sum + passage.text.length, request.question.length);
  const { trace } = request;
  if (trace) {
    trace.read = request.passages.map(({ marker }) => marker);
    trace.cut = undefined;
    const outcome = isAnswerable(selection) ? 'cited' : 'weak';
    trace.statements = selection.evidence.map(({ quote, marker }) => ({
      text: quote,
      outcome,
      markers: [marker],
      rejectedMarkers: [],
    }));
  }
  const usage = (answer: string) => ({
    promptTokens: Math.ceil(promptChars / CHARS_PER_TOKEN),
    completionTokens: Math.ceil(answer.length / CHARS_PER_TOKEN),
  });
  const logit =
    openJudge && selection.evidence.length > 0 ? await judgeEvidence(request, openJudge, signal) : undefined;
  const answerable =
    logit === undefined ? isAnswerable(selection) : selection.evidence.length > 0 && isLikelyAnswer(logit, selection);
  if (!answerable) {
    yield { kind: 'token', text: DONT_KNOW };
    const reason = selection.evidence.length === 0 ? 'no evidence' : 'weak evidence';
    yield { kind: 'done', refused: true, reason, usage: usage(DONT_KNOW) };
    return;
  }
  let answer = '';
  for (const { quote, marker, kind } of selection.evidence) {
    signal.throwIfAborted();
    const separator = answer === '' ? '' : kind === 'code' ? '\n\n' : ' ';
    const text = kind === 'code' ? `${separator}${quote}\n[${marker}]` : `${separator}${quote} [${marker}]`;
    answer += text;
    yield { kind: 'token', text };
    yield { kind: 'citation', marker, quote };
  }
  yield { kind: 'done', refused: false, usage: usage(answer) };
}
