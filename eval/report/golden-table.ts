import type { GoldenReport } from '../golden/golden-suite.ts';
import type { Interval } from '../metrics/bootstrap.ts';
import { percentWithInterval } from './answers-table.ts';
import { aligned } from './text-table.ts';

export const GOLDEN_COLUMNS: readonly string[] = [
  'questions',
  '',
  'found',
  '95 %',
  'refused',
  '95 %',
  'cites the right place',
  '95 %',
];

/** A row for every class of questions: kinds first, then languages. Shares in %; a dash where there is nothing to divide by. */
export function goldenRows({ scores }: Pick<GoldenReport, 'scores'>): readonly (readonly string[])[] {
  const cells = (share: Interval | undefined) => (share ? percentWithInterval(share) : ['-', '']);
  return scores.map(({ name, questions, found, refused, cited }) => [
    name,
    String(questions),
    ...[found, refused, cited].flatMap(cells),
  ]);
}

/** The lines of the terminal. */
export function goldenText(report: GoldenReport): readonly string[] {
  const { model, generator, documents } = report;
  return [
    `${documents} documents, embedder ${model}, generator ${generator}. Shares in %.`,
    ...aligned([GOLDEN_COLUMNS, ...goldenRows(report)], 1),
  ];
}
