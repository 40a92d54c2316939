import { EmbeddingInvalid } from '../../../runtime/errors.ts';
import { checkVector } from '../check-vectors.ts';

/** How far from 1 the squared length may be before a vector is scaled: less than what `checkVector` forgives. */
const UNIT_TOLERANCE = 1e-4;

/** A reply as a whole is unusable, or each text has its vector or none that may be used. */
export type CheckedReply =
  | { readonly kind: 'unusable'; readonly reason: string }
  | { readonly kind: 'checked'; readonly vectors: readonly (Float32Array | undefined)[] };

/**
 * Judges the vectors of one reply (R32): as many as texts, each of the model's size, finite, and of unit length, which is mended here
 * where the model does not do it. One bad vector among good ones is that text's alone; a wrong number or size is the whole reply's.
 * Scales in place.
 */
export function checkReply(vectors: readonly Float32Array[], count: number, dimensions: number): CheckedReply {
  if (vectors.length !== count) return { kind: 'unusable', reason: `${vectors.length} vectors for ${count} texts` };
  const odd = vectors.find((vector) => vector.length !== dimensions);
  if (odd) return { kind: 'unusable', reason: `${odd.length} dimensions instead of ${dimensions}` };
  return { kind: 'checked', vectors: vectors.map((vector) => usable(vector, dimensions)) };
}

function usable(vector: Float32Array, dimensions: number): Float32Array | undefined {
  let square = 0;
  for (const value of vector) square += value * value;
  if (Math.abs(square - 1) <= UNIT_TOLERANCE) return vector;
  if (square > 0 && Number.isFinite(square)) {
    const scale = 1 / Math.sqrt(square);
    for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
  }
  try {
    checkVector(vector, dimensions);
    return vector;
  } catch (error) {
    if (error instanceof EmbeddingInvalid) return undefined;
    throw error;
  }
}

/** Cosine of two unit vectors. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
