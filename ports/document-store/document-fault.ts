import { DocumentRefused, EmbeddingInvalid, type FreshetError } from '../../runtime/errors.ts';
import type { ReplaceDocument } from './document-store.ts';
import { isName } from './is-name.ts';

/** What a store can hold of one document. */
export interface DocumentLimits {
  /** Length of every vector. */
  readonly dimensions: number;
  readonly maxPassages: number;
}

/** Why a document cannot be stored, whatever its version; undefined when it can. */
export function documentFault(
  { document, passages, vectors }: ReplaceDocument,
  { dimensions, maxPassages }: DocumentLimits,
): FreshetError | undefined {
  if (document.tenant === '' || !isName(document.tenant))
    return new DocumentRefused('the tenant of the document is empty, not Unicode, or holds a NUL');
  if (passages.length > maxPassages) return new DocumentRefused(`the document has more than ${maxPassages} passages`);
  if (!passages.every(({ ordinal }, i) => ordinal === i))
    return new DocumentRefused('the passages of the document are not numbered from 0 in order');
  return vectorsFault(vectors, dimensions);
}

/** Says when one of the vectors is not `dimensions` finite numbers; undefined ones are still to come. */
export function vectorsFault(
  vectors: readonly (Float32Array | undefined)[],
  dimensions: number,
): EmbeddingInvalid | undefined {
  if (vectors.every((vector) => vector === undefined || isVector(vector, dimensions))) return undefined;
  return new EmbeddingInvalid(`a vector is not ${dimensions} finite numbers`);
}

function isVector(vector: Float32Array, dimensions: number): boolean {
  // A sum is finite only if every term is: one check instead of one per number.
  let sum = 0;
  for (const x of vector) sum += x;
  return vector.length === dimensions && Number.isFinite(sum);
}
