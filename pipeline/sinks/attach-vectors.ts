import type {
  AdvancePosition,
  AttachVectors,
  DocumentStore,
  StoredDocument,
  WriteOutcome,
} from '../../ports/document-store/document-store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Watermark } from '../../schemas/marker.ts';
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
    async write(wanted, signal, later) {
      const texts = wanted.flatMap((one) => (one.kind === 'wanted' ? missingTexts(one.document) : []));
      const known = texts.length === 0 ? new Map<string, Float32Array>() : await embedding.lookUp(texts, signal);
      const computed = await embedding.compute(
        texts.filter((text) => !known.has(text.vectorKey)),
        signal,
      );
      const vectors = new Map([...known, ...computed]);
      const results = new Map<number, Written>();
      const writes = wanted.flatMap((one, index) =>
        one.kind === 'wanted' ? [{ index, document: one.document, write: attachment(one.document, vectors) }] : [],
      );
      const outcomes = await store.write(
        writes.map(({ write }) => write),
        signal,
      );
      writes.forEach(({ index }, place) => results.set(index, written(outcomes[place])));
      observeFreshness(
        writes.flatMap(({ document }, place) => (outcomes[place]?.kind === 'applied' ? [document] : [])),
        signal,
      );
      const positions = wanted.flatMap((one) => (one.kind === 'reached' ? [positionOf(one.watermark)] : []));
      if (positions.length > 0) later(async (claiming) => void (await store.write(positions, claiming)));
      return wanted.map((_, index) => results.get(index) ?? { kind: 'written', outcome: 'passed' });
    },
  };

  function observeFreshness(documents: readonly StoredDocument[], signal: AbortSignal): void {
    if (documents.length === 0) return;
    store.searchable(signal).then(
      () => {
        const now = clock.now();
        for (const { source, committedAt } of documents)
          metrics.freshness.observe({ source: source.name, level: 'complete' }, Math.max(0, now - committedAt) / 1000);
      },
      () => undefined, // nothing waits for it
    );
  }
}

function written(outcome: WriteOutcome | undefined): Written {
  if (outcome?.kind === 'refused') return { kind: 'reject', error: classify(outcome.error) };
  return { kind: 'written', outcome: outcome?.kind === 'applied' ? 'indexed' : 'superseded' };
}

function missingTexts(document: StoredDocument): ReturnType<typeof textsOf> {
  return textsOf(
    document.title,
    document.passages.filter((passage) => !passage.hasVector),
  );
}

function positionOf(watermark: Watermark): AdvancePosition {
  return { ...watermark, kind: 'advance', level: 'complete' };
}

function attachment(
  { id, version, passages }: StoredDocument,
  vectors: ReadonlyMap<string, Float32Array>,
): AttachVectors {
  const attached: AttachVectors['vectors'] = passages.flatMap(({ ordinal, vectorKey, hasVector }) => {
    const vector = hasVector ? undefined : vectors.get(vectorKey);
    return vector ? [{ ordinal, vectorKey, vector }] : [];
  });
  return { kind: 'attach-vectors', id, version, vectors: attached };
}
