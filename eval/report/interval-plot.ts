import type { Interval } from '../metrics/bootstrap.ts';
import { element, escapeMarkup, scale } from './svg.ts';

/** One mark with its interval, and a tick where the floor is. */
export interface PlotMark {
  /** Chooses colour and shape. */
  readonly series: number;
  readonly name: string;
  readonly value: Interval;
  readonly floor?: number | undefined;
}

export interface PlotGroup {
  readonly name: string;
  readonly marks: readonly PlotMark[];
}

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 60;
const ROW = 17;
const GAP = 14;
const TOP = 26;
const MARK = 4.5;
const STEPS = 5;

/** Intervals in rows, grouped by set, on an axis from 0 to 1: `●──` with the floor as an upright tick. */
export function intervalPlot(title: string, groups: readonly PlotGroup[]): string {
  const x = scale([0, 1], [LEFT, WIDTH - RIGHT]);
  const rows = groups.reduce((sum, { marks }) => sum + marks.length, 0);
  const height = TOP + rows * ROW + groups.length * GAP;
  const parts = [axis(x, height)];
  let y = TOP + GAP / 2;
  for (const { name, marks } of groups) {
    parts.push(
      element(
        'text',
        { class: 'label', x: LEFT - 12, y: y + (marks.length * ROW) / 2 + 1, 'text-anchor': 'end' },
        escapeMarkup(name),
      ),
    );
    for (const mark of marks) {
      parts.push(row(mark, x, y + ROW / 2));
      y += ROW;
    }
    y += GAP;
  }
  const size = { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': title };
  return element('svg', size, element('title', {}, escapeMarkup(title)), ...parts);
}

function row({ series, name, value, floor }: PlotMark, x: (value: number) => number, y: number): string {
  const figures = `${name}: ${value.mean.toFixed(3)} (${value.low.toFixed(3)} to ${value.high.toFixed(3)})`;
  const hint = floor === undefined ? figures : `${figures}, floor ${floor.toFixed(3)}`;
  return element(
    'g',
    { class: `series-${series}` },
    element('title', {}, escapeMarkup(hint)),
    element('line', { class: 'interval', x1: x(value.low), x2: x(value.high), y1: y, y2: y }),
    ...(floor === undefined
      ? []
      : [element('line', { class: 'floor', x1: x(floor), x2: x(floor), y1: y - 7, y2: y + 7 })]),
    shape(series, x(value.mean), y),
    element('text', { class: 'figure', x: WIDTH - RIGHT + 10, y: y + 4 }, value.mean.toFixed(3)),
  );
}

/** Series differ in shape as well as in colour. */
function shape(series: number, x: number, y: number): string {
  if (series === 0)
    return element('rect', { class: 'mark', x: x - MARK + 0.5, y: y - MARK + 0.5, width: 8, height: 8 });
  if (series === 1) return element('circle', { class: 'mark', cx: x, cy: y, r: MARK });
  const points = [`${x},${y - 6}`, `${x + 6},${y}`, `${x},${y + 6}`, `${x - 6},${y}`].join(' ');
  return element('polygon', { class: 'mark', points });
}

function axis(x: (value: number) => number, height: number): string {
  const ticks = Array.from({ length: STEPS + 1 }, (_, i) => i / STEPS);
  return ticks
    .map(
      (tick) =>
        element('line', { class: 'grid', x1: x(tick), x2: x(tick), y1: TOP - 4, y2: height }) +
        element('text', { class: 'tick', x: x(tick), y: TOP - 11, 'text-anchor': 'middle' }, tick.toFixed(1)),
    )
    .join('');
}
