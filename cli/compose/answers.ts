import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Cache } from '../../ports/cache/cache.ts';
import { rememberQueries } from '../../ports/embedder/remember-queries.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import { openQueryVectorCache, type AdapterParts } from '../../ports/registry.ts';
import { AnswerCache } from '../../query-api/answer/cache/answer-cache.ts';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Opened } from '../../runtime/opened.ts';
import { packageRoot } from '../package-root.ts';

interface Parts extends AdapterParts {
  readonly config: ResolvedConfig;
  readonly opened: Opened;
  readonly metrics: Metrics;
}

/** Answers that are given again, in the cache that the config names; nothing without one. */
export async function answersIn(cache: Cache | undefined, parts: Parts): Promise<{ readonly answers?: AnswerCache }> {
  if (!cache) return {};
  const { answerTtlMs: ttlMs, auditShare } = parts.config.cache;
  return {
    answers: new AnswerCache({ ...parts, cache, ttlMs, auditShare, settings: await answerSettings(parts.config) }),
  };
}

/** The embedder for queries, which keeps their vectors where the config says so. */
export async function queryEmbedder(embedder: Embedder, parts: Parts): Promise<Embedder> {
  const cache = await openQueryVectorCache(parts.config, parts);
  return cache ? rememberQueries(embedder, parts.opened.use(cache), parts.metrics) : embedder;
}

/**
 * Whatever shapes answers besides model and prompt, as a hash: the server, how it is asked, what is done with its words, and the release,
 * whose rules for citations may be others. Processes with the same config share their answers.
 */
async function answerSettings({ generator }: ResolvedConfig): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL('package.json', packageRoot()), 'utf8')) as { version: string };
  const { kind, url, unsupported, maxTokens, contextTokens, temperature } = generator;
  const settings = [version, kind, url ?? null, unsupported, maxTokens, contextTokens, temperature];
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16);
}
