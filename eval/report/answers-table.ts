import type { AnswersReport, NamedDecisions } from '../answers/answers-suite.ts';
import type { Interval } from '../metrics/bootstrap.ts';
import { aligned } from './text-table.ts';

/** A table of the report, as the terminal and the page show it. */
export interface AnswersTable {
  readonly title: string;
  readonly note: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Balanced accuracy on all ten domains of summedits, from the paper (Laban et al. 2023, table 3), %. */
const PUBLISHED = 'Published for all ten domains of summedits: SummaC-Conv 57.1, QAFactEval 65.5, GPT-4 82.1.';

/** What there is to show, a table for each question that was measured. */
export function answersTables(report: AnswersReport): readonly AnswersTable[] {
  const refusal = [...report.refusal, ...report.product.map(({ name, refusal: result }) => ({ name, result }))];
  const tables: AnswersTable[] = [
    {
      title: 'Refusals',
      note: 'In %: goal at least 90 of unanswerable questions refused, at most 5 of answerable ones.',
      header: ['set', 'questions', 'refused, unanswerable', '95 %', 'refused, answerable', '95 %', 'balanced', '95 %'],
      rows: refusal.map(refusalRow),
    },
    {
      title: 'Support of sentences by the texts they cite',
      note: `In %. ${PUBLISHED} The mean below is over the domains that are measured here.`,
      header: ['set', 'claims', 'borne out, found', '95 %', 'not borne out, found', '95 %', 'balanced', '95 %'],
      rows: [...report.support.map(supportRow), ...summeditsMean(report.support)],
    },
    {
      title: 'Citations',
      note: 'Of answers from the whole query path: quotes that stand in their passage, statements with a quote that bears them out, answers that cite a relevant document, %.',
      header: ['set', 'citations', 'literal', 'statements', 'borne out', 'cites relevant', '95 %'],
      rows: report.product.map(({ name, citations: counts, citesRelevant }) => [
        name,
        String(counts.citations),
        percent(counts.literal / counts.citations),
        String(counts.statements),
        percent(counts.borneOut / counts.statements),
        ...percentWithInterval(citesRelevant),
      ]),
    },
    {
      title: 'Context and faithfulness',
      note: 'In %. Context precision and recall as RAGAS has them, by the judgements of the set; faithfulness is the share of the words of an answer that its passages have (ADR 26).',
      header: ['set', 'context precision', '95 %', 'context recall', '95 %', 'faithfulness', '95 %'],
      rows: report.product.map(({ name, contextPrecision, contextRecall, faithfulness }) => [
        name,
        ...[contextPrecision, contextRecall, faithfulness].flatMap(percentWithInterval),
      ]),
    },
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

/** The lines of the terminal. */
export function answersText(report: AnswersReport): readonly string[] {
  return answersTables(report).flatMap(({ title, note, header, rows }, index) => [
    ...(index === 0 ? [] : ['']),
    `${title}. ${note}`,
    ...aligned([header, ...rows], 1),
  ]);
}

function refusalRow({ name, result }: NamedDecisions): readonly string[] {
  const { saidYesOfYes: yes } = result;
  const refusedYes = { mean: 1 - yes.mean, low: 1 - yes.high, high: 1 - yes.low };
  return [
    name,
    `${result.positives}+${result.negatives}`,
    ...percentWithInterval(result.saidNoOfNo),
    ...percentWithInterval(refusedYes),
    ...percentWithInterval(result.balancedAccuracy),
  ];
}

function supportRow({ name, result }: NamedDecisions): readonly string[] {
  return [
    name,
    `${result.positives}+${result.negatives}`,
    ...percentWithInterval(result.saidYesOfYes),
    ...percentWithInterval(result.saidNoOfNo),
    ...percentWithInterval(result.balancedAccuracy),
  ];
}

/** The published figures are means over domains; so is this one. */
function summeditsMean(support: readonly NamedDecisions[]): readonly (readonly string[])[] {
  const domains = support.filter(({ name }) => name.startsWith('summedits'));
  if (domains.length === 0) return [];
  const sum = domains.reduce((total, { result }) => total + result.balancedAccuracy.mean, 0);
  return [['summedits, mean', '', '', '', '', '', percent(sum / domains.length), '']];
}

/** A share in % and its interval, as two cells. */
export function percentWithInterval({ mean, low, high }: Interval): readonly [string, string] {
  return [percent(mean), `${percent(low)}-${percent(high)}`];
}

/** A share in % with one digit; a dash where there was nothing to count. */
function percent(share: number): string {
  return Number.isNaN(share) ? '-' : (share * 100).toFixed(1);
}
