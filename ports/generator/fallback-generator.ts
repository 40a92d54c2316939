import { FreshetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { GenerateEvent, GenerateRequest, Generator } from './generator.ts';

/** What is told when a generator could not answer. */
export interface FallbackOptions {
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/**
 * Asks generators in order: the next one when one has failed before its first event. After that a failure is the answer's, because words that were
 * sent cannot be taken back. The answer's `done` names who wrote it. Disposes all of them.
 */
export function fallbackGenerator(
  first: Generator,
  others: readonly Generator[],
  { logger, metrics }: FallbackOptions,
): Generator {
  const generators = [first, ...others];
  return {
    model: first.model,
    ...(first.prompt !== undefined && { prompt: first.prompt }),
    generate: (request, signal) => inOrder(generators, request, { logger, ...(metrics && { metrics }) }, signal),
    async [Symbol.asyncDispose]() {
      for (const generator of generators) await generator[Symbol.asyncDispose]();
    },
  };
}

async function* inOrder(
  generators: readonly Generator[],
  request: GenerateRequest,
  { logger, metrics }: FallbackOptions,
  signal: AbortSignal,
): AsyncIterable<GenerateEvent> {
  for (const [index, generator] of generators.entries()) {
    const next = generators[index + 1];
    let sent = false;
    try {
      for await (const event of generator.generate(request, signal)) {
        sent = true;
        yield event.kind === 'done' && event.model === undefined ? { ...event, model: generator.model } : event;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (sent || !next || !(error instanceof FreshetError)) throw error;
      metrics?.generateFallbacks.inc({ generator: generator.model });
      logger.warn('A generator could not answer; the next one is asked.', {
        generator: generator.model,
        next: next.model,
        code: error.code,
        reason: error.message,
      });
    }
  }
}
