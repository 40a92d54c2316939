import { LEVEL, type Comparison } from '../compare/compare-results.ts';
import { COMPARISON_COLUMNS, comparisonRow, runLine, verdictLine } from './comparison-text.ts';
import { differencePlot } from './difference-plot.ts';
import { cell, pageOf, paragraph, tableOf } from './html-report.ts';
import { element, escapeMarkup } from './svg.ts';

/** The comparison as one page that needs nothing besides itself. */
export function comparisonPage(comparison: Comparison): string {
  const { a, b, metrics, unpaired } = comparison;
  return pageOf('comparison', [
    element('h1', {}, 'Two runs'),
    element('p', {}, escapeMarkup(verdictLine(comparison))),
    paragraph(`A: ${runLine(a)}`),
    paragraph(`B: ${runLine(b)}`),
    element('h2', {}, 'Change from A to B with 95 % intervals'),
    '<p class="key"><b class="k0">■ worse</b><b class="k1">● no evidence</b><b class="k2">◆ better</b></p>',
    differencePlot('Change by set and metric', metrics),
    element('h2', {}, 'Table'),
    tableOf(
      COMPARISON_COLUMNS,
      metrics.map((each) => element('tr', {}, ...comparisonRow(each).map(cell))),
    ),
    paragraph(
      `Over the queries that both have. Intervals by paired bootstrap; p by a randomisation test, adjusted for ${metrics.length} comparisons after Holm; evidence is p < ${LEVEL}.`,
    ),
    ...unpaired.map((each) => paragraph(`Not compared: ${each}.`)),
  ]);
}
