import { seededRandom } from '../../runtime/seeded-random.ts';
import { BUDGETS_TOKENS, type ChunkedSet, type ChunkingReport } from '../chunking/chunking-suite.ts';
import { TARGET_IOU, type ChunkerResult, type OverlapScores } from '../chunking/measure-chunker.ts';
import { pairedDifference, type Interval } from '../metrics/bootstrap.ts';
import { aligned, fixed, signed } from './text-table.ts';

/** One table of the report, for the terminal and the page. */
export interface ChunkingTable {
  readonly title: string;
  readonly note: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The same intervals at every run. */
const SEED = 1;

/** All chunkers at every budget; then, by text, at the budgets. */
export function chunkingTables({ sets }: ChunkingReport): readonly ChunkingTable[] {
  return sets.flatMap((set) => [
    targetTable(set),
    {
      title: `${set.set}: all texts`,
      note: 'Recall of the product less that of the chunker, question by question, with the p of a paired bootstrap.',
      header: ['chunker', 'budget', ...SCORES, 'freshet ahead', '95 %', 'p'],
      rows: BUDGETS_TOKENS.flatMap((budget) => set.chunkers.map((chunker) => pooledRow(set, chunker, budget))),
    },
    {
      title: `${set.set}: by text`,
      note: 'The same, text by text.',
      header: ['chunker', 'text', 'budget', ...SCORES],
      rows: textRows(set),
    },
  ]);
}

const SCORES: readonly string[] = ['recall', '95 %', 'precision', 'IoU', '95 %'];

function targetTable({ set, chunkers }: ChunkedSet): ChunkingTable {
  return {
    title: `${set}: recall at IoU ${TARGET_IOU}`,
    note: `The largest budget, in steps of ten tokens, whose mean IoU is at least ${TARGET_IOU}, and the mean recall there.`,
    header: ['chunker', 'passages', 'budget', 'recall'],
    rows: chunkers.map(({ name, passages, atTargetIou }) => [
      name,
      String(passages),
      atTargetIou ? String(atTargetIou.budgetTokens) : '-',
      atTargetIou ? fixed(atTargetIou.recall) : '-',
    ]),
  };
}

function pooledRow({ chunkers }: ChunkedSet, chunker: ChunkerResult, budget: number): readonly string[] {
  const at = (one: ChunkerResult | undefined) => one?.budgets.find(({ budgetTokens }) => budgetTokens === budget);
  const own = at(chunkers[0]);
  const other = at(chunker);
  if (!own || !other) return [chunker.name, String(budget)];
  const row = [chunker.name, String(budget), ...scoreCells(other.pooled)];
  if (own === other) return [...row, '', '', ''];
  const { mean, low, high, p } = pairedDifference(other.recallByQuestion, own.recallByQuestion, seededRandom(SEED));
  return [...row, signed(mean), `${signed(low)} to ${signed(high)}`, fixed(p)];
}

function textRows({ chunkers }: ChunkedSet): readonly (readonly string[])[] {
  return chunkers.flatMap(({ name, budgets }) =>
    budgets.flatMap(({ budgetTokens, byText }) =>
      Object.entries(byText).map(([text, scores]) => [name, text, String(budgetTokens), ...scoreCells(scores)]),
    ),
  );
}

function scoreCells({ recall, precision, iou }: OverlapScores): readonly string[] {
  return [fixed(recall.mean), range(recall), fixed(precision.mean), fixed(iou.mean), range(iou)];
}

function range({ low, high }: Interval): string {
  return `${fixed(low)}-${fixed(high)}`;
}

/** The lines of the terminal. */
export function chunkingText(report: ChunkingReport): readonly string[] {
  const tables = chunkingTables(report).flatMap(({ title, header, rows }) => [
    title,
    ...aligned([header, ...rows], 1),
    '',
  ]);
  return [`embedder ${report.model}`, '', ...tables];
}
