import type { Leg } from './run-queries.ts';

/** nDCG@10 and recall@10 that a plain baseline reached. */
export interface Floor {
  readonly ndcg10: number;
  readonly recall10: number;
}

/** The column of the table that a leg is compared with: the same model, else the one that is given for every set. */
const COLUMNS: Readonly<Record<Leg, readonly string[]>> = {
  lexical: ['BM25'],
  dense: ['bge-small', 'MiniLM'],
  hybrid: ['RRF+bge-small', 'RRF+MiniLM'],
};

/**
 * Floors by set and leg, from the Markdown table in the README of the data whose first column is `set` and whose cells are
 * `nDCG@10/recall@10`. Empty cells and sets that it does not name have no floor.
 */
export function readFloors(readme: string): ReadonlyMap<string, Partial<Record<Leg, Floor>>> {
  const rows = readme.split('\n').map(cellsOf);
  const start = rows.findIndex(([first, ...rest]) => first === 'set' && rest.includes('BM25'));
  const header = rows[start] ?? [];
  const floors = new Map<string, Partial<Record<Leg, Floor>>>();
  for (const row of start < 0 ? [] : rows.slice(start + 2)) {
    const [set] = row;
    if (set === undefined) break;
    const own: Partial<Record<Leg, Floor>> = {};
    for (const [leg, columns] of Object.entries(COLUMNS) as [Leg, readonly string[]][]) {
      const cell = columns
        .map((column) => row[header.indexOf(column)])
        .find((each) => each !== undefined && each !== '');
      const floor = floorOf(cell);
      if (floor) own[leg] = floor;
    }
    floors.set(set, own);
  }
  return floors;
}

/** The cells of a row of a Markdown table; none for any other line. */
function cellsOf(line: string): readonly string[] {
  return line.startsWith('|')
    ? line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim())
    : [];
}

function floorOf(cell = ''): Floor | undefined {
  const [, ndcg10, recall10] = /^([\d.]+)\/([\d.]+)$/.exec(cell) ?? [];
  return ndcg10 === undefined || recall10 === undefined
    ? undefined
    : { ndcg10: Number(ndcg10), recall10: Number(recall10) };
}
