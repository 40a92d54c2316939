import { deadline } from '../../../runtime/deadline.ts';
import { createHash } from 'node:crypto';
import type { Clock, Random } from '../../../runtime/clock.ts';
import { EmbedderUnavailable, EmbeddingInvalid, ModelMismatch } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import { retry } from '../../../runtime/retry.ts';
import type { EmbeddingEndpoint, RequestLimits, TextKind } from './endpoint.ts';
import { KnownTexts } from './known-texts.ts';
import { openTokenizer, type TokenizerChoice } from './open-tokenizer.ts';
import { RemoteEmbedder } from './remote-embedder.ts';

/** Options that all remote embedders take. */
export interface RemoteOptions {
  readonly tokenizer: TokenizerChoice;
  /** Put in front of queries and of passages, for models that were trained with it; '' by default. */
  readonly queryPrefix?: string;
  readonly passagePrefix?: string;
  /** Most requests at once; fewer are sent where the service does not gain from them. 64 by default. */
  readonly maxConcurrency?: number;
  /** Most tokens in a request; the service's own limit holds where it is lower. */
  readonly maxBatchTokens?: number;
  /** How long one request may take, ms. */
  readonly timeoutMs: number;
  /** Sends a query again that got no reply in this time, ms; absent: never. */
  readonly hedgeAfterMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/** What an adapter knows of its service before the first text is sent. */
export interface RemoteService {
  readonly endpoint: EmbeddingEndpoint;
  readonly limits: RequestLimits;
  readonly modelName: string;
  readonly revision: string;
  /** Positions of the model, special tokens included. */
  readonly maxPositions: number;
  /** Whether the service cuts texts that are too long by itself. */
  readonly cutsTexts: boolean;
  /** What else decides a vector, for the fingerprint. */
  readonly parameters: readonly string[];
  readonly identity: string | undefined;
  /** Demanded by the operator; undefined: what the model gives. */
  readonly dimensions: number | undefined;
}

const DEFAULT_MAX_CONCURRENCY = 64;
const SPECIAL_TOKENS = 2;
/** By how much the approximate tokenizer may be too high: texts below this many limits are left to the service to cut. */
const APPROXIMATION_SLACK = 4;
const ATTEMPTS = 4;
const MIN_RETRY_MS = 250;
const MAX_RETRY_MS = 4_000;

/**
 * Asks the service for the vectors of a few known texts, and opens the embedder with what they show.
 * @throws EmbedderUnavailable when it does not answer, EmbeddingInvalid when what it answers are no vectors, ModelMismatch when they are of
 * another size than demanded or do not follow the order of the texts.
 */
export async function openRemote(
  service: RemoteService,
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<RemoteEmbedder> {
  const { endpoint, dimensions: demanded } = service;
  const { tokenizer, exact } = await openTokenizer(options.tokenizer);
  let servedBy: string | undefined;
  const send = async (texts: readonly string[]): Promise<readonly Float32Array[]> => {
    const reply = await sendProbe(endpoint, texts, options, signal);
    servedBy = reply.servedBy;
    return reply.vectors;
  };
  const { known, dimensions } = await KnownTexts.learn(send, options.random);
  if (demanded !== undefined && demanded !== dimensions) {
    throw new ModelMismatch(`The ${endpoint.name} embedder gives ${dimensions} dimensions; ${demanded} are demanded.`);
  }
  if ((await known.verify(send)) !== 'right') {
    throw new ModelMismatch(`The ${endpoint.name} embedder does not return vectors in the order of the texts.`);
  }
  const prefixes = { query: options.queryPrefix ?? '', passage: options.passagePrefix ?? '' };
  const maxTokens = service.maxPositions - SPECIAL_TOKENS;
  return new RemoteEmbedder({
    ...options,
    endpoint,
    known,
    tokenizer,
    prefixes,
    limits: {
      maxTexts: service.limits.maxTexts,
      maxTokens: Math.min(service.limits.maxTokens, options.maxBatchTokens ?? Infinity),
    },
    model: {
      name: service.modelName,
      revision: service.revision,
      dimensions,
      maxTokens: Math.max(1, maxTokens - tokenizer.count(prefixes.passage)),
      fingerprint: fingerprintOf(service, dimensions, prefixes),
    },
    maxSentTokens: exact || !service.cutsTexts ? maxTokens : maxTokens * APPROXIMATION_SLACK,
    expected: { identity: service.identity, servedBy },
    maxConcurrency: options.maxConcurrency ?? DEFAULT_MAX_CONCURRENCY,
    hedgeAfterMs: options.hedgeAfterMs,
    metrics: options.metrics,
  });
}

/** Limits and address are left out: they do not change a vector. */
function fingerprintOf(
  service: RemoteService,
  dimensions: number,
  prefixes: Readonly<Record<TextKind, string>>,
): string {
  const { modelName, revision, parameters } = service;
  const parts = [
    modelName,
    revision,
    dimensions,
    ...parameters,
    `query=${prefixes.query}`,
    `passage=${prefixes.passage}`,
  ];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12);
}

/** One request with retries, before there is a scheduler. */
async function sendProbe(
  endpoint: EmbeddingEndpoint,
  texts: readonly string[],
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<{ readonly vectors: readonly Float32Array[]; readonly servedBy: string | undefined }> {
  return patiently('probe the embedder', options, signal, async () => {
    const limited = deadline(options.clock, options.timeoutMs, signal);
    try {
      const outcome = await endpoint.send(texts, 'passage', limited.signal);
      if (outcome.kind === 'vectors') return { vectors: outcome.vectors, servedBy: outcome.servedBy };
      if (outcome.kind === 'refused' || outcome.kind === 'unusable') {
        throw new EmbeddingInvalid(`The ${endpoint.name} embedder does not embed a probe: ${outcome.reason}.`);
      }
      throw unanswered(endpoint.name, outcome.reason);
    } catch (error) {
      if (limited.expired()) throw unanswered(endpoint.name, `no reply in ${options.timeoutMs} ms`);
      throw error;
    } finally {
      limited.end();
    }
  });
}

/** Repeats what an embedder that still starts does not answer. @throws the last error, or the signal's reason. */
export function patiently<T>(
  operation: string,
  { clock, random, logger }: RemoteOptions,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  const bounds = { attempts: ATTEMPTS, minDelayMs: MIN_RETRY_MS, maxDelayMs: MAX_RETRY_MS };
  return retry(attempt, { operation, ...bounds, clock, random, logger }, signal);
}

/** @param reason never holds text of documents or keys. */
export function unanswered(name: string, reason: string): EmbedderUnavailable {
  return new EmbedderUnavailable(`The ${name} embedder does not answer: ${reason}.`);
}
