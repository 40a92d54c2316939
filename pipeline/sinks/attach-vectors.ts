import type {
  AdvancePosition,
  AttachVectors,
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
import { observeFreshness, type FreshnessOptions } from './observe-freshness.ts';

export interface AttachOptions extends FreshnessOptions {
  readonly store: DocumentStore;
  readonly embedding: Embedding;
}

/**
 * Computes the vectors that were deferred and attaches them, document by document, to exactly the version they were asked for.
 * An error of the embedder concerns the batch: the worker repeats it, or finds the one text that the model will not take.
 */
export function attachVectors(options: AttachOptions): Sink<VectorsWanted> {
  const { store, embedding } = options;
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
        writes.flatMap(({ document: { source, committedAt } }, place) =>
          outcomes[place]?.kind === 'applied' ? [{ source: source.name, committedAt }] : [],
        ),
        'complete',
        options,
        signal,
      );
      const positions = wanted.flatMap((one) => (one.kind === 'reached' ? [positionOf(one.watermark)] : []));
      if (positions.length > 0) later(async (claiming) => void (await store.write(positions, claiming)));
      return wanted.map((_, index) => results.get(index) ?? { kind: 'written', outcome: 'passed' });
    },
  };
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
