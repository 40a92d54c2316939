import { chunkText } from '../../pipeline/chunking/chunk-text.ts';
import type { Tokenizer } from '../../ports/embedder/embedder.ts';
import { openEmbedder } from '../../ports/registry.ts';
import { systemRandom } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import type { RetrievalSuiteOptions } from '../retrieval/retrieval-suite.ts';
import { openVectorFile } from '../retrieval/vector-file.ts';
import type { Chunker } from './fill-passages.ts';
import { measureChunker, type ChunkerResult } from './measure-chunker.ts';
import { readChunkingSet } from './read-chunking-set.ts';
import { recursiveSplit } from './recursive-splitter.ts';

/** What can be measured. Folders below the data root. */
export const CHUNKING_SETS: readonly string[] = ['chunking-eval'];

/** Tokens that are retrieved for every question, by the embedder's tokenizer. */
export const BUDGETS_TOKENS: readonly number[] = [200, 400, 600, 800, 1_200];

/** Characters of a passage and of its overlap: none, and a fifth, which is what most guides say. */
const BASELINES: readonly (readonly [number, number])[] = [
  [400, 0],
  [400, 80],
  [800, 0],
  [800, 160],
  [1_200, 0],
  [1_200, 240],
];

export interface ChunkedSet {
  readonly set: string;
  readonly texts: number;
  readonly questions: number;
  /** The product's chunker first, then the baselines. */
  readonly chunkers: readonly ChunkerResult[];
}

export interface ChunkingReport {
  readonly suite: 'chunking';
  readonly model: string;
  readonly sets: readonly ChunkedSet[];
  /** Sets that are not below the data root. */
  readonly missing: readonly string[];
}

/**
 * Measures the product's chunker, at the size and overlap that the config says, beside recursive character splitters, with the same
 * embedder, index, retrieval and token budgets. @throws FreshetError when the model or the file of vectors fails.
 */
export async function runChunkingSuite(options: RetrievalSuiteOptions, signal: AbortSignal): Promise<ChunkingReport> {
  const { dataRoot, config, clock, say } = options;
  await using embedder = await openEmbedder(config, { clock, random: systemRandom, logger: silentLogger }, signal);
  await using cache = openVectorFile(options.vectorFile);
  const parts = { embedder, cache, config: config.pipeline, clock, metrics: createMetrics() };
  const sets: ChunkedSet[] = [];
  const missing: string[] = [];
  for (const name of options.sets) {
    const set = await readChunkingSet(dataRoot, name);
    if (!set) {
      missing.push(name);
      continue;
    }
    const chunkers: ChunkerResult[] = [];
    for (const chunker of chunkersOf(config.pipeline.chunk, embedder.tokenizer)) {
      say(`${name}: ${chunker.name}`);
      chunkers.push(await measureChunker(set, chunker, BUDGETS_TOKENS, parts, signal));
    }
    sets.push({ set: name, texts: set.texts.length, questions: set.questions.length, chunkers });
  }
  return { suite: 'chunking', model: embedder.model.name, sets, missing };
}

/** The product's chunker, then the baselines. */
export function chunkersOf(
  { maxTokens, overlapTokens }: { readonly maxTokens: number; readonly overlapTokens: number },
  tokenizer: Tokenizer,
): readonly Chunker[] {
  return [
    {
      name: `freshet ${maxTokens}/${overlapTokens} tokens`,
      cut: (text) => chunkText(text, 'text', { maxTokens, overlapTokens, tokenizer }),
    },
    ...BASELINES.map(([chunkSize, overlap]): Chunker => ({
      name: `recursive ${chunkSize}/${overlap} characters`,
      cut: (text) => recursiveSplit(text, { chunkSize, overlap }).map((span) => ({ ...span, headings: [] })),
    })),
  ];
}
