import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openEmbedder, openReranker } from '../../ports/registry.ts';
import { systemRandom, type Clock } from '../../runtime/clock.ts';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import { rerankingLimits } from '../../runtime/config/reranker-config.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { readFloors, type Floor } from './floor-table.ts';
import { measureSet, type SetResult } from './measure-set.ts';
import { readSet } from './read-set.ts';
import type { Leg } from './run-queries.ts';
import { openVectorFile } from './vector-file.ts';

/** Smallest first, so that a broken setting shows within seconds. Folders below the data root. */
export const RETRIEVAL_SETS: readonly string[] = [
  'adi',
  'anthropic-docs-rag',
  'xquad/en',
  'xquad/zh',
  'xquad/de',
  'xquad/ar',
  'medline',
  'cranfield',
  'hotpotqa-sample100',
  'scifact',
  'climate-fever-evidence',
];

export interface RetrievalSuiteOptions {
  readonly dataRoot: string;
  readonly sets: readonly string[];
  /** File of vectors that earlier runs have computed; created when it is not there. */
  readonly vectorFile: string;
  /** The settings that are measured, the same for every set. */
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  /** Told what is under way. */
  readonly say: (line: string) => void;
}

/** A set with the floor of each leg that has one. */
export interface ComparedResult extends SetResult {
  readonly floors: Readonly<Partial<Record<Leg, Floor>>>;
}

export interface RetrievalReport {
  readonly model: string;
  /** What it serves and how many passages it orders; absent: the legs' own order. */
  readonly reranker?: string;
  readonly chunk: { readonly maxTokens: number; readonly overlapTokens: number };
  readonly sets: readonly ComparedResult[];
  /** Sets that are not below the data root. */
  readonly missing: readonly string[];
}

/** Measures every set that is there, one after the other. @throws FreshetError when the model, the reranker or the file of vectors fails. */
export async function runRetrievalSuite(options: RetrievalSuiteOptions, signal: AbortSignal): Promise<RetrievalReport> {
  const { dataRoot, config, clock, say } = options;
  const engine = { clock, random: systemRandom, logger: silentLogger };
  await using embedder = await openEmbedder(config, engine, signal);
  await using reranker = await openReranker(config, engine);
  const limits = rerankingLimits(config.reranker);
  const served = reranker && `${reranker.name} ${await reranker.probe(signal)}, for the best ${limits.candidates}`;
  await using cache = openVectorFile(options.vectorFile);
  const floors = readFloors(await readFile(join(dataRoot, 'README.md'), 'utf8').catch(() => ''));
  const sets: ComparedResult[] = [];
  const missing: string[] = [];
  for (const name of options.sets) {
    const set = await readSet(dataRoot, name);
    if (!set) {
      say(`${name} is not in ${dataRoot}; passed over.`);
      missing.push(name);
      continue;
    }
    const onProgress = (done: number) => say(`${name}: ${done} of ${set.documents.length} documents`);
    const metrics = createMetrics();
    const reranking = reranker && { reranking: { use: config.reranker.use, ...limits, reranker } };
    const parts = { embedder, cache, config: config.pipeline, clock, metrics, onProgress, ...reranking };
    sets.push({ ...(await measureSet(set, parts, signal)), floors: floors.get(name) ?? {} });
  }
  return {
    model: embedder.model.name,
    ...(served !== undefined && { reranker: served }),
    chunk: config.pipeline.chunk,
    sets,
    missing,
  };
}
