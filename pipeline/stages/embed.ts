import type { Passage } from '../../schemas/document.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { embeddedText } from '../chunking/embedded-text.ts';
import type { Embedding, TextToEmbed } from '../embedding.ts';
import { emit, type Stage } from '../stage.ts';
import type { ChunkedContent, ChunkedChange } from './chunk-documents.ts';

export interface EmbedOptions {
  readonly embedding: Embedding;
  /** How long a batch may wait for the model before its documents are indexed lexically first, ms. */
  readonly inlineBudgetMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A document with the vectors that are known by now, by ordinal. */
export interface EmbeddedContent extends ChunkedContent {
  readonly vectors: readonly (Float32Array | undefined)[];
}

export type EmbeddedChange = Exclude<ChunkedChange, ChunkedContent> | EmbeddedContent;

/**
 * Finds or computes the vectors of new passages. Never holds a document up for longer than the budget and never fails one: what
 * the model cannot give in time is left out, is searchable lexically at once, and follows through `freshet.vectors`.
 */
export function embed({
  embedding,
  inlineBudgetMs,
  clock,
  logger,
  metrics,
}: EmbedOptions): Stage<ChunkedChange, EmbeddedChange> {
  async function within(texts: readonly TextToEmbed[], signal: AbortSignal): Promise<Map<string, Float32Array>> {
    const none = new Map<string, Float32Array>();
    if (texts.length === 0 || inlineBudgetMs === 0 || embedding.estimateMs(texts) > inlineBudgetMs) return none;
    const timer = new AbortController();
    const tooLate = clock.sleep(inlineBudgetMs, AbortSignal.any([timer.signal, signal])).then(
      () => none,
      () => none,
    );
    try {
      return await Promise.race([embedding.compute(texts, signal), tooLate]);
    } catch (error) {
      signal.throwIfAborted();
      logger.debug('The model failed inline; the vectors follow later.', { error: error as Error });
      return none;
    } finally {
      timer.abort();
    }
  }

  return {
    name: 'embed',
    async run(changes, signal) {
      const texts = changes.flatMap((change) =>
        change.kind === 'chunked' ? textsOf(change.document.title, change.passages) : [],
      );
      const known = texts.length === 0 ? new Map<string, Float32Array>() : await embedding.lookUp(texts, signal);
      const missing = texts.filter((text) => !known.has(text.vectorKey));
      const computed = await within(missing, signal);
      metrics.embedDeferred.inc(missing.filter((text) => !computed.has(text.vectorKey)).length);
      return changes.map((change) => {
        if (change.kind !== 'chunked') return emit<EmbeddedChange>(change);
        const vectors = change.passages.map(({ vectorKey }) => known.get(vectorKey) ?? computed.get(vectorKey));
        return emit<EmbeddedChange>({ ...change, vectors });
      });
    },
  };
}

/** The texts that stand for passages in front of the model. */
export function textsOf(
  title: string,
  passages: readonly Pick<Passage, 'vectorKey' | 'headings' | 'text' | 'tokens'>[],
): readonly TextToEmbed[] {
  return passages.map(({ vectorKey, headings, text, tokens }) => ({
    vectorKey,
    text: embeddedText(title, headings, text),
    tokens,
  }));
}
