import type { ChunkingReport } from '../chunking/chunking-suite.ts';
import { chunkingTables } from './chunking-table.ts';
import { cell, pageOf, paragraph, tableOf } from './html-report.ts';
import { intervalPlot } from './interval-plot.ts';
import { element, escapeMarkup } from './svg.ts';

/** The report as one page that needs nothing besides itself. */
export function chunkingPage(report: ChunkingReport): string {
  const groups = report.sets.flatMap(({ chunkers }) =>
    chunkers.map(({ name, budgets }) => ({
      name,
      marks: budgets.map(({ budgetTokens, pooled }) => ({
        series: 1,
        name: `${budgetTokens} tokens`,
        value: pooled.recall,
      })),
    })),
  );
  return pageOf('chunking', [
    element('h1', {}, 'Chunking'),
    paragraph(
      `Embedder: ${report.model}. Both legs, as a search asks them; every chunker retrieves the same number of tokens, the last passage cut off there.`,
    ),
    ...(report.missing.length > 0 ? [paragraph(`Not on this machine: ${report.missing.join(', ')}.`)] : []),
    element('h2', {}, 'Token recall with 95 % intervals, one mark for each budget'),
    intervalPlot('Token recall by chunker and budget', groups),
    ...chunkingTables(report).flatMap(({ title, note, header, rows }) => [
      element('h2', {}, escapeMarkup(title)),
      paragraph(note),
      tableOf(
        header,
        rows.map((row) => element('tr', {}, ...row.map(cell))),
      ),
    ]),
  ]);
}
