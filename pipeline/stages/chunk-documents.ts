import type { Document, Passage } from '../../schemas/document.ts';
import { emit, eachValue, type Stage } from '../stage.ts';
import type { IndexChange, NewContent } from './compare-content.ts';

/** A document cut into passages. `text` is what their spans point into. */
export interface ChunkedContent {
  readonly kind: 'chunked';
  readonly document: Document;
  readonly contentHash: string;
  readonly text: string;
  readonly passages: readonly Passage[];
  readonly partition: number;
}

export type ChunkedChange = Exclude<IndexChange, NewContent> | ChunkedContent;

export interface ChunkStageOptions {
  readonly chunk: (document: Document) => { readonly text: string; readonly passages: readonly Passage[] };
}

/** Cuts documents with new content into passages; everything else passes. A document that cannot be cut is rejected alone. */
export function chunkDocuments({ chunk }: ChunkStageOptions): Stage<IndexChange, ChunkedChange> {
  return eachValue<IndexChange, ChunkedChange>('chunk', (change) => {
    if (change.kind !== 'new-content') return emit<ChunkedChange>(change);
    const { document, contentHash, partition } = change;
    return emit<ChunkedChange>({ kind: 'chunked', document, contentHash, partition, ...chunk(document) });
  });
}
