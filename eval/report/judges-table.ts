import type { CalibrationRow } from '../judges/calibrate-judges.ts';
import type { GroupedFigure } from '../metrics/rank-correlation.ts';
import { aligned, fixed } from './text-table.ts';

const COLUMNS = ['judge', 'judges', 'people', 'answers', 'Spearman', '95 %', 'Kendall', '95 %', 'pairs', '95 %', ''];

/** The lines of the terminal: every judge beside every human score. */
export function judgesText(rows: readonly CalibrationRow[]): readonly string[] {
  return [
    'Rank correlation of judges with people; pairs: share of pairs of answers to one question that are ordered alike, 0.5 is a coin.',
    ...aligned(
      [
        COLUMNS,
        ...rows.map(({ judge, judges, human, agreement: { texts, spearman, kendall, pairwise }, correlates }) => [
          judge,
          judges,
          human,
          String(texts),
          ...[spearman, kendall, pairwise].flatMap(cellsOf),
          correlates ? 'correlates' : '',
        ]),
      ],
      3,
    ),
  ];
}

function cellsOf({ value, low, high }: GroupedFigure): readonly string[] {
  return [fixed(value), `${fixed(low)} to ${fixed(high)}`];
}
