import { join } from 'node:path';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { readLines } from '../answers/read-lines.ts';
import { mean } from '../metrics/bootstrap.ts';
import { agreement, type Agreement, type Rated } from '../metrics/rank-correlation.ts';
import { readSet } from '../retrieval/read-set.ts';
import type { Judge, JudgedAnswer } from './rule-judges.ts';

/** What people gave figures for, from 1 to 4. */
export const HUMAN_SCORES = ['faithfulness', 'appropriateness', 'completeness', 'naturalness'] as const;
export type HumanScore = (typeof HUMAN_SCORES)[number];

/** An answer of the set with the mean of what people said of it. */
export interface RatedAnswer extends JudgedAnswer {
  readonly task: string;
  readonly human: Readonly<Record<HumanScore, number>>;
  /** What each of them said, for how well they agree with each other. */
  readonly raters: Readonly<Record<HumanScore, readonly number[]>>;
}

export interface CalibrationRow {
  readonly judge: string;
  readonly judges: string;
  readonly human: HumanScore;
  readonly agreement: Agreement;
  /** Whether the judge may be a metric: beyond chance it goes with people over all answers and between answers to one question. */
  readonly correlates: boolean;
}

/** Folder of the set below the data root. */
const SET = 'mtrag-human-eval-subset';
/** The answer that a person wrote: what the other answers are compared with. */
const REFERENCE = 'reference';
const SEED = 1;

interface Evaluation {
  readonly task_id: string;
  readonly model_id: string;
  readonly model_response: string;
  readonly annotations: Readonly<Record<HumanScore, Readonly<Record<string, { readonly value: string }>>>>;
}

/**
 * Answers of MTRAG (Katsis et al. 2025) that people rated, those of tasks with relevant passages.
 * @returns undefined when the set is not below `root`.
 */
export async function ratedAnswers(root: string): Promise<readonly RatedAnswer[] | undefined> {
  const set = await readSet(root, SET);
  const evaluations = await readLines<Evaluation>(join(root, SET, 'evaluations.jsonl'));
  if (!set || !evaluations) return undefined;
  const texts = new Map(set.documents.map(({ id, text }) => [id, text]));
  const tasks = new Map(set.queries.map((query) => [query.id, query]));
  const references = new Map(
    evaluations.filter((each) => each.model_id === REFERENCE).map((each) => [each.task_id, each.model_response]),
  );
  return evaluations.flatMap(({ task_id: task, model_id: model, model_response: answer, annotations }) => {
    const query = tasks.get(task);
    if (!query) return [];
    const reference = model === REFERENCE ? undefined : references.get(task);
    const raters = recordOf((score) => Object.values(annotations[score]).map(({ value }) => Number(value)));
    return [
      {
        task,
        question: query.text,
        answer,
        contexts: [...query.judgements.keys()].flatMap((id) => texts.get(id) ?? []),
        ...(reference !== undefined && { reference }),
        raters,
        human: recordOf((score) => mean(raters[score])),
      },
    ];
  });
}

function recordOf<T>(valueOf: (score: HumanScore) => T): Readonly<Record<HumanScore, T>> {
  return Object.fromEntries(HUMAN_SCORES.map((score) => [score, valueOf(score)])) as Record<HumanScore, T>;
}

/** Holds every judge against every human score, and, as the best that a judge could do, one person against the others. */
export async function calibrateJudges(
  answers: readonly RatedAnswer[],
  judges: readonly Judge[],
): Promise<readonly CalibrationRow[]> {
  const rows: CalibrationRow[] = [];
  for (const judge of judges) {
    const scored: { answer: RatedAnswer; figure: number }[] = [];
    for (const answer of answers) {
      const figure = await judge.score(answer);
      if (figure !== undefined) scored.push({ answer, figure });
    }
    for (const human of HUMAN_SCORES) {
      const rated = scored.map(({ answer, figure }) => ({
        group: answer.task,
        judge: figure,
        human: answer.human[human],
      }));
      rows.push(rowOf(judge.name, judge.judges, human, rated));
    }
  }
  return [
    ...rows,
    ...HUMAN_SCORES.map((human) => rowOf('one person', 'the others', human, personBesideOthers(answers, human))),
  ];
}

function rowOf(judge: string, judges: string, human: HumanScore, rated: readonly Rated[]): CalibrationRow {
  const found = agreement(rated, seededRandom(SEED));
  return { judge, judges, human, agreement: found, correlates: found.spearman.low > 0 && found.pairwise.low > 0.5 };
}

/** The first of the people beside the mean of the others. */
function personBesideOthers(answers: readonly RatedAnswer[], human: HumanScore): readonly Rated[] {
  return answers.flatMap(({ task, raters }) => {
    const [first, ...others] = raters[human];
    return first === undefined || others.length === 0 ? [] : [{ group: task, judge: first, human: mean(others) }];
  });
}
