import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { retrieve } from '../../query-api/answer/retrieve.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { MAX_K } from '../../schemas/query.ts';
import { mean, meanInterval, type Interval } from '../metrics/bootstrap.ts';
import { PRINCIPAL, setIdOf, type FillOptions } from '../retrieval/fill-store.ts';
import { fillPassages, type Chunker } from './fill-passages.ts';
import type { ChunkingSet } from './read-chunking-set.ts';
import { takeBudget } from './take-budget.ts';
import { tokenOverlap, type RetrievedSpan, type TokenOverlap, type TokenStarts } from './token-overlap.ts';

/** Means over questions, with 95 % intervals. */
export interface OverlapScores {
  readonly questions: number;
  readonly recall: Interval;
  readonly precision: Interval;
  readonly iou: Interval;
}

/** Every question with as many retrieved tokens as the budget says. */
export interface BudgetResult {
  readonly budgetTokens: number;
  readonly pooled: OverlapScores;
  readonly byText: Readonly<Record<string, OverlapScores>>;
  /** In the order of the set: what a paired comparison needs. */
  readonly recallByQuestion: readonly number[];
}

export interface ChunkerResult {
  readonly name: string;
  readonly passages: number;
  readonly budgets: readonly BudgetResult[];
  /** The largest budget whose mean IoU is at least `TARGET_IOU`, and the mean recall there; undefined when no budget has it. */
  readonly atTargetIou: { readonly budgetTokens: number; readonly recall: number } | undefined;
}

/** What a user of retrieval wants to be above: a tenth of what is retrieved or was wanted is in both. */
export const TARGET_IOU = 0.1;
const BUDGET_STEP = 10;
const MOST_BUDGET = 1_500;
/** A query waits for its vector as long as it takes: a busy machine changes the time and not the figures, ms. */
const PATIENCE_MS = 60_000;
/** The same intervals at every run. */
const SEED = 1;

/**
 * Fills an index of its own with the texts as a chunker cuts them, asks every question as `/v1/search` would (both legs, largest `k`), and
 * compares what fits into each budget with the excerpts that answer it.
 */
export async function measureChunker(
  set: ChunkingSet,
  chunker: Chunker,
  budgets: readonly number[],
  options: Omit<FillOptions, 'store'>,
  signal: AbortSignal,
): Promise<ChunkerResult> {
  const { embedder, clock } = options;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions: embedder.model.dimensions, clock });
  await fillPassages(set.texts, chunker, { ...options, store }, signal);
  const deps = { ...options, store, sources: [], logger: silentLogger, embedDeadlineMs: PATIENCE_MS };
  const rankings: RetrievedSpan[][] = [];
  for (const { question } of set.questions) {
    const { hits } = await retrieve({ query: question, k: MAX_K }, PRINCIPAL, deps, { gone: signal, left: signal });
    rankings.push(hits.map(({ documentId, passage: { start, end } }) => ({ text: setIdOf(documentId), start, end })));
  }
  const tokens = new Map(set.texts.map(({ id, text }) => [id, embedder.tokenizer.starts(text)]));
  const { passages } = await store.progress(signal);
  return {
    name: chunker.name,
    passages,
    budgets: budgets.map((budgetTokens) => judge(set, budgetTokens, overlaps(set, rankings, budgetTokens, tokens))),
    atTargetIou: largestBudget(set, rankings, tokens),
  };
}

function overlaps(
  { questions }: ChunkingSet,
  rankings: readonly (readonly RetrievedSpan[])[],
  budgetTokens: number,
  tokens: ReadonlyMap<string, TokenStarts>,
): readonly TokenOverlap[] {
  return questions.map(({ excerpts, text }, i) =>
    tokenOverlap(excerpts, text, takeBudget(rankings[i] ?? [], budgetTokens, tokens), tokens),
  );
}

function judge(set: ChunkingSet, budgetTokens: number, found: readonly TokenOverlap[]): BudgetResult {
  const texts = set.texts.map(({ id }) => {
    const own = found.filter((_, i) => set.questions[i]?.text === id);
    return [id, scoresOf(own)] as const;
  });
  return {
    budgetTokens,
    pooled: scoresOf(found),
    byText: Object.fromEntries(texts),
    recallByQuestion: found.map(({ recall }) => recall),
  };
}

function scoresOf(found: readonly TokenOverlap[]): OverlapScores {
  const over = (metric: keyof TokenOverlap): Interval =>
    meanInterval(
      found.map((each) => each[metric]),
      seededRandom(SEED),
    );
  return { questions: found.length, recall: over('recall'), precision: over('precision'), iou: over('iou') };
}

/** Tries budgets from the largest down: with more tokens the recall rises and, from the first few passages on, IoU falls. */
function largestBudget(
  set: ChunkingSet,
  rankings: readonly (readonly RetrievedSpan[])[],
  tokens: ReadonlyMap<string, TokenStarts>,
): ChunkerResult['atTargetIou'] {
  for (let budgetTokens = MOST_BUDGET; budgetTokens > 0; budgetTokens -= BUDGET_STEP) {
    const found = overlaps(set, rankings, budgetTokens, tokens);
    if (mean(found.map(({ iou }) => iou)) >= TARGET_IOU)
      return { budgetTokens, recall: mean(found.map(({ recall }) => recall)) };
  }
  return undefined;
}
