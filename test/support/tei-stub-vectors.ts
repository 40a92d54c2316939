import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';

/** Vectors as they stand in a reply. */
export interface StubVectors {
  /** A vector of each text, unit length. */
  of(texts: readonly string[]): Promise<readonly Float32Array[]>;
  /** The same as JSON arrays. */
  json(texts: readonly string[]): Promise<readonly string[]>;
}

/** Texts whose JSON is remembered. */
const MAX_REMEMBERED = 20_000;

/** Hashed words, as of `hashEmbedder`: texts with common words are near, so that retrieval works. */
export function hashVectors(dimensions: number): StubVectors {
  const embedder = hashEmbedder({ dimensions });
  const remembered = new Map<string, string>();
  return {
    of: (texts) => embedder.embed(texts, 'passage'),
    async json(texts) {
      const missing = texts.filter((text) => !remembered.has(text));
      if (remembered.size + missing.length > MAX_REMEMBERED) remembered.clear();
      const made = await embedder.embed(missing, 'passage');
      made.forEach((vector, index) => remembered.set(missing[index] ?? '', jsonOf(vector)));
      const kept = texts.map((text) => remembered.get(text));
      if (kept.every((json) => json !== undefined)) return kept;
      return (await embedder.embed(texts, 'passage')).map(jsonOf);
    },
  };
}

/** How many vectors there are in the pool. */
const POOL = 512;

/**
 * Dense vectors, as a model's, made once: a reply costs the stub no more than copying it. Equal texts get equal vectors, others one of 512, so
 * this is for load, not for retrieval.
 */
export function pooledVectors(dimensions: number): StubVectors {
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32 - 0.5;
  const pool = Array.from({ length: POOL }, () => {
    const vector = Float32Array.from({ length: dimensions }, next);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    return vector.map((value) => value / length);
  });
  const rendered = pool.map(jsonOf);
  const place = (text: string): number => {
    let hash = text.length;
    const step = Math.max(1, text.length >> 4);
    for (let i = 0; i < text.length; i += step) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
    return (hash >>> 0) % POOL;
  };
  return {
    of: async (texts) => texts.map((text) => pool[place(text)] ?? new Float32Array(dimensions)),
    json: async (texts) => texts.map((text) => rendered[place(text)] ?? '[]'),
  };
}

/** As serde writes 32-bit floats: as few digits as tell them apart. */
function jsonOf(vector: Float32Array): string {
  return `[${Array.from(vector, (value) => Number(value.toPrecision(8))).join(',')}]`;
}
