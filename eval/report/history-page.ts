import { mean } from '../metrics/bootstrap.ts';
import type { EvalResult } from '../results/result.ts';
import { runLine } from './comparison-text.ts';
import { cell, pageOf, paragraph, tableOf } from './html-report.ts';
import { element, escapeMarkup, scale } from './svg.ts';
import { aligned, fixed, signed } from './text-table.ts';

/** The mean of one metric of one set in every run that has it, oldest first. */
export interface Trend {
  readonly set: string;
  readonly metric: string;
  readonly points: readonly { readonly run: number; readonly mean: number }[];
}

const WIDTH = 180;
const HEIGHT = 28;
const EDGE = 5;
/** A line of changes smaller than this looks flat, and should. */
const SMALLEST_SPAN = 0.02;

/** Means run by run, in the order in which sets and metrics were first measured. @param runs of one suite, oldest first. */
export function trendsOf(runs: readonly EvalResult[]): readonly Trend[] {
  const trends = new Map<string, { set: string; metric: string; points: { run: number; mean: number }[] }>();
  for (const [run, { sets }] of runs.entries())
    for (const { set, metrics } of sets)
      for (const { metric, values } of metrics) {
        const key = JSON.stringify([set, metric]);
        const trend = trends.get(key) ?? { set, metric, points: [] };
        trend.points.push({ run, mean: mean(values) });
        trends.set(key, trend);
      }
  return [...trends.values()];
}

const COLUMNS: readonly string[] = ['set', 'metric', 'runs', 'first', 'last', 'change', 'least', 'most'];

function cellsOf({ set, metric, points }: Trend): readonly string[] {
  const means = points.map((each) => each.mean);
  const [first = Number.NaN, last = Number.NaN] = [means[0], means.at(-1)];
  const ends = [Math.min(...means), Math.max(...means)].map(fixed);
  return [set, metric, String(means.length), fixed(first), fixed(last), signed(last - first), ...ends];
}

/** The lines of the terminal. @param runs of one suite, oldest first. */
export function historyText(runs: readonly EvalResult[]): readonly string[] {
  return [...runs.map(runLine), ...aligned([COLUMNS, ...trendsOf(runs).map(cellsOf)])];
}

/** Every metric as a line over the runs, on one page that needs nothing besides itself. @param runs of one suite, oldest first. */
export function historyPage(runs: readonly EvalResult[]): string {
  const rows = trendsOf(runs).map((trend) => {
    const cells = cellsOf(trend).map(cell);
    return element('tr', {}, ...cells, element('td', {}, trendPlot(trend, runs)));
  });
  return pageOf('history', [
    element('h1', {}, `Runs of the suite ${escapeMarkup(runs[0]?.suite ?? '')}`),
    paragraph('Means over the queries of a run. Whether two runs differ, `freshet eval compare` says.'),
    tableOf([...COLUMNS, 'runs, oldest first'], rows),
    element('h2', {}, 'Runs'),
    ...runs.map((run) => paragraph(runLine(run))),
  ]);
}

function trendPlot({ set, metric, points }: Trend, runs: readonly EvalResult[]): string {
  const means = points.map((each) => each.mean);
  const middle = (Math.min(...means) + Math.max(...means)) / 2;
  const half = Math.max(SMALLEST_SPAN, Math.max(...means) - Math.min(...means)) / 2;
  const x = scale([0, Math.max(1, runs.length - 1)], [EDGE, WIDTH - EDGE]);
  const y = scale([middle - half, middle + half], [HEIGHT - EDGE, EDGE]);
  const dots = points.map((point) =>
    element(
      'circle',
      { class: 'mark', cx: x(point.run), cy: y(point.mean), r: 2.5 },
      element('title', {}, escapeMarkup(`${runs[point.run]?.measuredAt ?? ''}: ${fixed(point.mean)}`)),
    ),
  );
  const line = points.map((point) => `${x(point.run).toFixed(1)},${y(point.mean).toFixed(1)}`).join(' ');
  return element(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${set}, ${metric}`, style: 'width: 11rem' },
    element(
      'g',
      { class: 'series-1' },
      element('polyline', { class: 'interval', points: line, fill: 'none' }),
      ...dots,
    ),
  );
}
