import type {
  AttachVectors,
  DocumentStore,
  DocumentWrite,
  StoredDocument,
} from '../../ports/document-store/document-store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Embedding } from '../embedding.ts';
import type { Sink, Written } from '../stage.ts';
import { textsOf } from '../stages/embed.ts';
import type { VectorsWanted } from '../stages/load-passages.ts';

export interface AttachOptions {
  readonly store: DocumentStore;
  readonly embedding: Embedding;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/**
 * Computes the vectors that were deferred and attaches them, document by document, to exactly the version they were asked for.
 * An error of the embedder concerns the batch: the worker repeats it, or finds the one text that the model will not take.
 */
export function attachVectors({ store, embedding, clock, metrics }: AttachOptions): Sink<VectorsWanted> {
  return {
    name: 'attach-vectors',
    async write(wanted, signal) {
      const texts = wanted.flatMap((one) => (one.kind === 'wanted' ? missingTexts(one.document) : []));
      const known = texts.length === 0 ? new Map<string, Float32Array>() : await embedding.lookUp(texts, signal);
      const computed = await embedding.compute(
        texts.filter((text) => !known.has(text.vectorKey)),
        signal,
      );
      const vectors = new Map([...known, ...computed]);
      const outcomes = await store.write(
        wanted.map((one) => writeOf(one, vectors)),
        signal,
      );
      return wanted.map((one, index): Written => {
        const outcome = outcomes[index];
        if (outcome?.kind === 'refused') return { kind: 'reject', error: classify(outcome.error) };
        if (one.kind === 'reached') return { kind: 'written', outcome: 'passed' };
        if (outcome?.kind !== 'applied') return { kind: 'written', outcome: 'superseded' };
        metrics.freshness.observe(
          { source: one.document.source.name, level: 'complete' },
          Math.max(0, clock.now() - one.document.committedAt) / 1000,
        );
        return { kind: 'written', outcome: 'indexed' };
      });
    },
  };
}

function missingTexts(document: StoredDocument): ReturnType<typeof textsOf> {
  return textsOf(
    document.title,
    document.passages.filter((passage) => !passage.hasVector),
  );
}

function writeOf(one: VectorsWanted, vectors: ReadonlyMap<string, Float32Array>): DocumentWrite {
  if (one.kind === 'reached') {
    const { kind: _, ...position } = one.watermark;
    return { kind: 'advance', level: 'complete', ...position };
  }
  const { id, version, passages } = one.document;
  const attached: AttachVectors['vectors'] = passages.flatMap(({ ordinal, vectorKey, hasVector }) => {
    const vector = hasVector ? undefined : vectors.get(vectorKey);
    return vector ? [{ ordinal, vectorKey, vector }] : [];
  });
  return { kind: 'attach-vectors', id, version, vectors: attached };
}
