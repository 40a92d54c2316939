import { createHash } from 'node:crypto';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Cache } from '../cache/cache.ts';
import type { Embedder } from './embedder.ts';

/**
 * An embedder that does not embed the same query twice while the cache has its vector. The key is a hash of model and text: what people ask does not lie
 * in the cache. Passages go through; they have a cache of their own. Disposing it disposes the embedder, not the cache.
 */
export function rememberQueries(embedder: Embedder, cache: Cache, metrics: Metrics): Embedder {
  const { model, tokenizer } = embedder;
  return {
    model,
    tokenizer,
    async embed(texts, kind, signal) {
      const [text] = texts;
      if (kind !== 'query' || texts.length !== 1 || text === undefined) return embedder.embed(texts, kind, signal);
      const key = createHash('sha256')
        .update(JSON.stringify([model.fingerprint, text]))
        .digest('hex');
      const [known] = await cache.get([key], signal);
      const isHit = known?.byteLength === model.dimensions * Float32Array.BYTES_PER_ELEMENT;
      metrics.cacheRequests.inc({ cache: 'query-vectors', result: isHit ? 'hit' : 'miss' });
      if (isHit) return [new Float32Array(known.slice().buffer)];
      const vectors = await embedder.embed(texts, kind, signal);
      const [vector] = vectors;
      if (vector)
        await cache.set([{ key, value: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength) }], signal);
      return vectors;
    },
    [Symbol.asyncDispose]: () => embedder[Symbol.asyncDispose](),
  };
}
