import { EmbeddingInvalid } from '../../runtime/errors.ts';

/** How far the length of a unit vector may be from 1: the rounding of 32-bit floats, no more. */
const LENGTH_TOLERANCE = 1e-3;

/**
 * Refuses what must never be indexed: a vector of the wrong size, with NaN or infinity, or not of unit length.
 * @throws EmbeddingInvalid
 */
export function checkVector(vector: Float32Array, dimensions: number): void {
  if (vector.length !== dimensions) {
    throw new EmbeddingInvalid(`A vector has ${vector.length} dimensions instead of ${dimensions}.`);
  }
  let square = 0;
  for (const value of vector) square += value * value;
  // NaN and infinity make the sum fail every comparison.
  if (!(Math.abs(square - 1) <= 2 * LENGTH_TOLERANCE)) {
    throw new EmbeddingInvalid('A vector is not finite or not of unit length.');
  }
}
