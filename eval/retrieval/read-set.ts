import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Judgements } from '../metrics/ranking-metrics.ts';

export interface SetDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface SetQuery {
  readonly id: string;
  readonly text: string;
  readonly judgements: Judgements;
}

/** A collection of documents with queries whose relevant documents are known. */
export interface RetrievalSet {
  readonly name: string;
  readonly documents: readonly SetDocument[];
  /** Those that have a relevant document, in the order of the file. */
  readonly queries: readonly SetQuery[];
}

/**
 * Reads `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` of a folder.
 * @param root folder of all sets; `name` is a folder below it, such as `xquad/en`.
 * @returns undefined when a file is missing: not every machine has every set.
 * @throws SyntaxError when a line is not JSON.
 */
export async function readSet(root: string, name: string): Promise<RetrievalSet | undefined> {
  const [corpus, queries, qrels] = await Promise.all(
    ['corpus.jsonl', 'queries.jsonl', 'qrels.tsv'].map((file) => readIfThere(join(root, name, file))),
  );
  if (corpus === undefined || queries === undefined || qrels === undefined) return undefined;
  const judgements = readJudgements(qrels);
  return {
    name,
    documents: readLines(corpus).map(({ _id, title = '', text = '' }) => ({ id: _id, title, text })),
    queries: readLines(queries).flatMap(({ _id, text = '' }) => {
      const judged = judgements.get(_id);
      const isMeasured = judged && [...judged.values()].some((grade) => grade > 0);
      return isMeasured ? [{ id: _id, text, judgements: judged }] : [];
    }),
  };
}

interface Line {
  readonly _id: string;
  readonly title?: string;
  readonly text?: string;
}

function readLines(file: string): Line[] {
  return file
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** `query-id`, `corpus-id`, grade, after a header. */
function readJudgements(file: string): Map<string, Map<string, number>> {
  const byQuery = new Map<string, Map<string, number>>();
  for (const line of file.split(/\r?\n/).slice(1)) {
    const [query, document, grade] = line.split('\t');
    if (query === undefined || document === undefined || grade === undefined) continue;
    const judged = byQuery.get(query) ?? new Map<string, number>();
    byQuery.set(query, judged.set(document, Number(grade)));
  }
  return byQuery;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
