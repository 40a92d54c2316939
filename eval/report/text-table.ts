import { seededRandom } from '../../runtime/seeded-random.ts';
import { pairedDifference } from '../metrics/bootstrap.ts';
import type { Floor } from '../retrieval/floor-table.ts';
import type { LegResult } from '../retrieval/measure-set.ts';
import type { ComparedResult, RetrievalReport } from '../retrieval/retrieval-suite.ts';

/** Cells of one leg of one set, as the terminal and the page show them. */
export interface LegRow {
  readonly set: string;
  readonly leg: string;
  readonly cells: readonly string[];
}

/** The same intervals at every run. */
const SEED = 1;

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

/** How far a run is from an earlier one in nDCG@10, query by query, for every leg of every set that both have. */
export function differenceTable(earlier: RetrievalReport, report: RetrievalReport): readonly string[] {
  const rows = report.sets.flatMap(({ set, legs }) => {
    const before = earlier.sets.find((each) => each.set === set)?.legs ?? [];
    return legs.flatMap(({ leg, ndcg10ByQuery: after }) => {
      const own = before.find((each) => each.leg === leg)?.ndcg10ByQuery;
      if (own?.length !== after.length) return [];
      const { mean, low, high, p } = pairedDifference(own, after, seededRandom(SEED));
      return [[set, leg, signed(mean), `${signed(low)} to ${signed(high)}`, fixed(p)]];
    });
  });
  return aligned([['set', 'leg', 'change', '95 %', 'p'], ...rows]);
}

/** A difference with its sign. */
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
