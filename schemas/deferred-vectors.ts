import Type from 'typebox';
import { Watermark } from './marker.ts';

/** A document that is searchable lexically and still misses vectors. */
export const DeferredVectors = Type.Object({
  kind: Type.Literal('deferred'),
  id: Type.String(),
  version: Type.String(),
});
export type DeferredVectors = Type.Static<typeof DeferredVectors>;

/** One value of `freshet.vectors`. */
export const VectorsRecord = Type.Union([DeferredVectors, Watermark]);
export type VectorsRecord = DeferredVectors | Watermark;
