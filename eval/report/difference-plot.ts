import type { MetricComparison } from '../compare/compare-results.ts';
import { element, escapeMarkup, scale } from './svg.ts';
import { signed } from './text-table.ts';

const WIDTH = 760;
const LEFT = 290;
const RIGHT = 70;
const ROW = 20;
const TOP = 30;
const MARK = 4.5;
/** A plot of differences that are all nearly 0 must not look like one of great ones. */
const SMALLEST_SPAN = 0.05;

/** Changes with their intervals in rows, around an upright line at 0: to the left worse, to the right better. */
export function differencePlot(title: string, metrics: readonly MetricComparison[]): string {
  const ends = metrics.flatMap(({ difference: { low, high } }) => [Math.abs(low), Math.abs(high)]);
  const span = Math.max(SMALLEST_SPAN, ...ends);
  const x = scale([-span, span], [LEFT, WIDTH - RIGHT]);
  const height = TOP + metrics.length * ROW + 10;
  const size = { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': title };
  return element(
    'svg',
    size,
    element('title', {}, escapeMarkup(title)),
    ...[-span, 0, span].map((at) => axisLine(at, x(at), height)),
    ...metrics.map((each, index) => row(each, x, TOP + index * ROW + ROW / 2)),
  );
}

function axisLine(at: number, x: number, height: number): string {
  const label = at === 0 ? '0' : signed(at);
  return (
    element('line', { class: at === 0 ? 'floor' : 'grid', x1: x, x2: x, y1: TOP - 4, y2: height }) +
    element('text', { class: 'tick', x, y: TOP - 11, 'text-anchor': 'middle' }, label)
  );
}

/** Worse, no evidence and better differ in shape as well as in colour. */
function row({ set, metric, difference, verdict }: MetricComparison, x: (value: number) => number, y: number): string {
  const at = x(difference.mean);
  const diamond = [`${at},${y - 6}`, `${at + 6},${y}`, `${at},${y + 6}`, `${at - 6},${y}`].join(' ');
  const mark =
    verdict === 'worse'
      ? element('rect', { class: 'mark', x: at - MARK, y: y - MARK, width: 9, height: 9 })
      : verdict === 'better'
        ? element('polygon', { class: 'mark', points: diamond })
        : element('circle', { class: 'mark', cx: at, cy: y, r: MARK });
  const hint = `${set}, ${metric}: ${signed(difference.mean)} (${signed(difference.low)} to ${signed(difference.high)}), ${verdict}`;
  return element(
    'g',
    { class: `series-${{ worse: 0, 'no evidence': 1, better: 2 }[verdict]}` },
    element('title', {}, escapeMarkup(hint)),
    element(
      'text',
      { class: 'label', x: LEFT - 12, y: y + 4, 'text-anchor': 'end' },
      escapeMarkup(`${set}, ${metric}`),
    ),
    element('line', { class: 'interval', x1: x(difference.low), x2: x(difference.high), y1: y, y2: y }),
    mark,
    element('text', { class: 'figure', x: WIDTH - RIGHT + 10, y: y + 4 }, signed(difference.mean)),
  );
}
