import type { Floor } from '../retrieval/floor-table.ts';
import type { LegResult } from '../retrieval/measure-set.ts';
import type { ComparedResult, RetrievalReport } from '../retrieval/retrieval-suite.ts';

/** Cells of one leg of one set, as the terminal and the page show them. */
export interface LegRow {
  readonly set: string;
  readonly leg: string;
  readonly cells: readonly string[];
}

export const COLUMNS: readonly string[] = [
  'nDCG@10',
  '95 %',
  'floor',
  'recall@10',
  'floor',
  'recall@100',
  'MRR@10',
  'p50 ms',
];

export function legRows(report: RetrievalReport): readonly LegRow[] {
  return report.sets.flatMap((result: ComparedResult) =>
    result.legs.map((leg) => ({ set: result.set, leg: leg.leg, cells: cellsOf(leg, result.floors[leg.leg]) })),
  );
}

function cellsOf(
  { ndcg10, recall10, recall100, mrr10, p50Ms }: LegResult,
  floor: Floor | undefined,
): readonly string[] {
  return [
    fixed(ndcg10.mean),
    `${fixed(ndcg10.low)}-${fixed(ndcg10.high)}`,
    floor ? fixed(floor.ndcg10) : '',
    fixed(recall10),
    floor ? fixed(floor.recall10) : '',
    fixed(recall100),
    fixed(mrr10),
    p50Ms.toFixed(1),
  ];
}

/** A metric between 0 and 1 as papers print it. */
export function fixed(value: number): string {
  return value.toFixed(3);
}

/** The lines of the terminal. */
export function textTable(report: RetrievalReport): readonly string[] {
  return aligned([['set', 'leg', ...COLUMNS], ...legRows(report).map(({ set, leg, cells }) => [set, leg, ...cells])]);
}

/** A difference, with its sign. */
export function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${fixed(value)}`;
}

/** Columns of one width each: the first `names` to the left, figures to the right. */
export function aligned(rows: readonly (readonly string[])[], names = 2): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < names ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
