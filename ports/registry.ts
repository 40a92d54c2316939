import { join } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Cache } from './cache/cache.ts';
import type { DocumentStore } from './document-store/document-store.ts';
import type { Embedder, EmbedderModel } from './embedder/embedder.ts';
import type { Generator } from './generator/generator.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { SqliteLog } from './log/sqlite-log.ts';

/*
 * Name in the config -> adapter. The only file that names adapters; each is imported when it is asked for, so that a process loads
 * no client that it does not use.
 */

/** What adapters are given. */
export interface AdapterParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Bytes of the cache in the process's memory. */
const CACHE_BYTES = 67_108_864;

/** Where the log lies. */
export function logPath(config: ResolvedConfig): string {
  return join(config.dataDir, 'log', 'log.db');
}

/** One file per generation: another model or another chunker makes another index, and the old one stays until it is retired. */
export function indexPath(
  config: ResolvedConfig,
  model: EmbedderModel,
  chunkerVersion: string,
  generation = 1,
): string {
  return join(config.dataDir, 'index', `freshet-${model.fingerprint}-${chunkerVersion}-${generation}.db`);
}

/** @throws StorageFailed */
export async function openLog(config: ResolvedConfig, { clock, logger }: AdapterParts): Promise<SqliteLog> {
  const { openSqliteLog } = await import('./log/sqlite-log.ts');
  return openSqliteLog({ path: logPath(config), clock, logger });
}

/** @throws StorageFailed */
export async function openDocumentStore(
  config: ResolvedConfig,
  model: EmbedderModel,
  chunkerVersion: string,
  { clock, logger }: AdapterParts,
): Promise<DocumentStore> {
  const { openSqliteDocumentStore } = await import('./document-store/sqlite-document-store.ts');
  const path = indexPath(config, model, chunkerVersion);
  return openSqliteDocumentStore({ path, dimensions: model.dimensions, clock, logger });
}

/** The cache of vectors, by the config. */
export async function openCache(_config: ResolvedConfig, { clock }: AdapterParts): Promise<Cache> {
  const { memoryCache } = await import('./cache/memory-cache.ts');
  return memoryCache({ maxBytes: CACHE_BYTES, clock });
}

/** The job scheduler, by the config. */
export async function openJobs(_config: ResolvedConfig, { clock, logger }: AdapterParts): Promise<Jobs> {
  const { inProcessJobs } = await import('./jobs/in-process-jobs.ts');
  return inProcessJobs({ clock, logger });
}

/** @throws ModelMismatch */
export async function openEmbedder(config: ResolvedConfig, { logger }: AdapterParts): Promise<Embedder> {
  switch (config.embedder.kind) {
    case 'onnx': {
      const { openOnnxEmbedder } = await import('./embedder/onnx-embedder.ts');
      return openOnnxEmbedder({ threads: config.embedder.threads, logger });
    }
    case 'hash': {
      const { hashEmbedder } = await import('./embedder/hash-embedder.ts');
      return hashEmbedder();
    }
  }
}

/** The generator that the config names. */
export async function openGenerator(config: ResolvedConfig): Promise<Generator> {
  switch (config.generator.kind) {
    case 'extractive': {
      const { extractiveGenerator } = await import('./generator/extractive-generator.ts');
      return extractiveGenerator();
    }
  }
}
