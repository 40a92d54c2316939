import type {
  AdvancePosition,
  DocumentStore,
  StoredDocument,
  WriteOutcome,
} from '../../ports/document-store/document-store.ts';
import { classify } from '../../runtime/errors.ts';
import type { Watermark } from '../../schemas/marker.ts';
import type { Embedding } from '../embedding.ts';
import type { Sink, Written } from '../stage.ts';
import { textsOf } from '../stages/embed.ts';
import type { VectorsWanted } from '../stages/load-passages.ts';
import { observeFreshness, type FreshChange, type FreshnessOptions } from './observe-freshness.ts';
import { attachment, VectorsOnArrival } from './vectors-on-arrival.ts';

export interface AttachOptions extends FreshnessOptions {
  readonly store: DocumentStore;
  readonly embedding: Embedding;
  /**
   * Writes vectors while others are being computed, see VectorsOnArrival. Absent: once per batch, for an index where every write of a document
   * costs all of it.
   */
  readonly onArrival?: boolean | undefined;
}

/**
 * Computes the vectors that were deferred and attaches them, document by document, to exactly the version they were asked for.
 * An error of the embedder concerns the batch: the worker repeats it, or finds the one text that the model will not take.
 */
export function attachVectors(options: AttachOptions): Sink<VectorsWanted> {
  const { store, embedding, onArrival = false } = options;
  return {
    name: 'attach-vectors',
    async write(wanted, signal, later) {
      const texts = wanted.flatMap((one) => (one.kind === 'wanted' ? missingTexts(one.document) : []));
      const known = texts.length === 0 ? new Map<string, Float32Array>() : await embedding.lookUp(texts, signal);
      const documents = wanted.flatMap((one) => (one.kind === 'wanted' ? [one.document] : []));
      const arrivals = onArrival ? new VectorsOnArrival(store, documents, signal) : undefined;
      let computed: Map<string, Float32Array>;
      try {
        computed = await embedding.compute(
          texts.filter((text) => !known.has(text.vectorKey)),
          signal,
          arrivals && ((key, vector) => arrivals.add(key, vector)),
        );
      } finally {
        await arrivals?.settled();
      }
      const vectors = new Map([...known, ...computed]);
      const results = new Map<number, Written>();
      const writes = wanted.flatMap((one, index) => {
        if (one.kind !== 'wanted') return [];
        const { document } = one;
        const write = attachment(document, vectors);
        const left = write.vectors.filter(({ vectorKey }) => !arrivals?.keeps(document.id, vectorKey));
        if (left.length > 0 || write.vectors.length === 0)
          return [{ index, document, write: { ...write, vectors: left } }];
        results.set(index, { kind: 'written', outcome: 'indexed' });
        return [];
      });
      const outcomes = await store.write(
        writes.map(({ write }) => write),
        signal,
      );
      writes.forEach(({ index }, place) => results.set(index, written(outcomes[place])));
      observeFreshness(freshOf(wanted, results), 'complete', options, signal);
      const positions = wanted.flatMap((one) => (one.kind === 'reached' ? [positionOf(one.watermark)] : []));
      if (positions.length > 0) later(async (claiming) => void (await store.write(positions, claiming)));
      return wanted.map((_, index) => results.get(index) ?? { kind: 'written', outcome: 'passed' });
    },
  };
}

/** The documents whose last vectors were attached. */
function freshOf(wanted: readonly VectorsWanted[], results: ReadonlyMap<number, Written>): readonly FreshChange[] {
  return wanted.flatMap((one, index) => {
    const result = results.get(index);
    if (one.kind !== 'wanted' || result?.kind !== 'written' || result.outcome !== 'indexed') return [];
    const { source, committedAt } = one.document;
    return [{ source: source.name, committedAt }];
  });
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
