import type { AnswersReport } from '../answers/answers-suite.ts';
import type { Interval } from '../metrics/bootstrap.ts';
import { answersTables } from './answers-table.ts';
import { cell, pageOf, paragraph, tableOf } from './html-report.ts';
import { intervalPlot, type PlotGroup } from './interval-plot.ts';
import { element, escapeMarkup } from './svg.ts';

/** The report as one page that needs nothing besides itself. */
export function answersPage(report: AnswersReport): string {
  const groups: PlotGroup[] = [
    ...report.refusal.map(({ name, result }) => group(name, 0, 'refusals', result.balancedAccuracy)),
    ...report.product.map(({ name, refusal }) => group(name, 0, 'refusals', refusal.balancedAccuracy)),
    ...report.support.map(({ name, result }) => group(name, 1, 'support', result.balancedAccuracy)),
  ];
  return pageOf('answers', [
    element('h1', {}, 'Answers'),
    paragraph(`Generator: ${report.generator}. A judge that does not look has a balanced accuracy of 0.5.`),
    ...(report.missing.length > 0 ? [paragraph(`Not on this machine: ${report.missing.join(', ')}.`)] : []),
    element('h2', {}, 'Balanced accuracy with 95 % intervals'),
    '<p class="key"><b class="k0">■ refusals</b><b class="k1">● support</b></p>',
    intervalPlot('Balanced accuracy by set', groups),
    ...answersTables(report).flatMap(({ title, note, header, rows }) => [
      element('h2', {}, escapeMarkup(title)),
      paragraph(note),
      tableOf(
        header,
        rows.map((row) => element('tr', {}, ...row.map(cell))),
      ),
    ]),
  ]);
}

function group(name: string, series: number, judge: string, value: Interval): PlotGroup {
  return { name, marks: [{ series, name: judge, value }] };
}
