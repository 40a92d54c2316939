import type { GoldenReport } from '../golden/golden-suite.ts';
import type { JudgedOutcome } from '../golden/score-golden.ts';
import { GOLDEN_COLUMNS, goldenRows } from './golden-table.ts';
import { cell, pageOf, paragraph, tableOf } from './html-report.ts';
import { intervalPlot, type PlotGroup } from './interval-plot.ts';
import { element } from './svg.ts';

const SERIES = ['found', 'refused', 'cited'] as const;

/** The report as one page that needs nothing besides itself; names the questions that went wrong, since each can be looked at. */
export function goldenPage(report: GoldenReport): string {
  const { model, generator, documents, scores, outcomes } = report;
  const groups: PlotGroup[] = scores.map(({ name, ...score }) => ({
    name,
    marks: SERIES.flatMap((what, series) => {
      const value = score[what];
      return value ? [{ series, name: what, value }] : [];
    }),
  }));
  const wrong = outcomes.flatMap((each) => {
    const fault = faultOf(each);
    return fault === undefined ? [] : [[each.question.id, fault, each.question.language, each.question.question]];
  });
  return pageOf('golden questions', [
    element('h1', {}, 'Golden questions'),
    paragraph(`${outcomes.length} questions of our own about ${documents} documents of the demo.`),
    paragraph(`Embedder: ${model}. Generator: ${generator}.`),
    element('h2', {}, 'Shares with 95 % intervals'),
    '<p class="key"><b class="k0">■ found</b><b class="k1">● refused</b><b class="k2">◆ cites the right place</b></p>',
    intervalPlot('Shares by class of question', groups),
    element('h2', {}, 'Table'),
    tableOf(GOLDEN_COLUMNS, goldenRows(report).map(rowOf)),
    paragraph(
      'In %. What is cited is counted over the answers; a refusal is right for a question without an answer and wrong for any other.',
    ),
    element('h2', {}, 'What went wrong'),
    tableOf(['question', 'fault', 'language', 'words'], wrong.map(rowOf)),
  ]);
}

/** The first thing that went wrong on the way of a question. */
function faultOf({ question, found, refused, citesGold }: JudgedOutcome): string | undefined {
  if (question.kind === 'unanswerable') return refused ? undefined : 'answered';
  if (!found) return refused ? 'not found, refused' : 'not found, answered';
  if (refused) return 'refused';
  return citesGold ? undefined : 'cites another place';
}

function rowOf(cells: readonly string[]): string {
  return element('tr', {}, ...cells.map(cell));
}
