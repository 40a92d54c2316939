import { expect, it } from 'vitest';
import { EmbeddingInvalid } from '../../runtime/errors.ts';
import { checkVector } from './check-vectors.ts';

it('a finite unit vector of the right size passes', () => {
  expect(() => checkVector(Float32Array.of(0.6, 0.8), 2)).not.toThrow();
});

it.each([
  ['of the wrong size', Float32Array.of(1)],
  ['with NaN', Float32Array.of(Number.NaN, 1)],
  ['with infinity', Float32Array.of(Number.POSITIVE_INFINITY, 0)],
  ['of zeros', Float32Array.of(0, 0)],
  ['that is not of unit length', Float32Array.of(1, 1)],
])('a vector %s is refused', (_, vector) => {
  expect(() => checkVector(vector, 2)).toThrow(EmbeddingInvalid);
});
