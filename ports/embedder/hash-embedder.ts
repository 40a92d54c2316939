import { createHash } from 'node:crypto';
import type { Embedder, EmbedderModel } from './embedder.ts';
import { eachWord, wordTokenizer } from './word-tokenizer.ts';

const DEFAULT_DIMENSIONS = 384;
const MAX_TOKENS = 512;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * An embedder without a model: signed feature hashing of lower-cased words, so that texts with common words get near vectors and
 * the same text always gets the same vector. For tests, benchmarks and the simulator; its retrieval is lexical, not semantic.
 */
export function hashEmbedder({ dimensions = DEFAULT_DIMENSIONS }: { readonly dimensions?: number } = {}): Embedder {
  const name = 'feature-hash';
  const revision = '1';
  const model: EmbedderModel = {
    name,
    revision,
    dimensions,
    maxTokens: MAX_TOKENS,
    fingerprint: createHash('sha256').update(`${name}/${revision}/${dimensions}`).digest('hex').slice(0, 12),
  };
  return {
    model,
    tokenizer: wordTokenizer,
    async embed(texts, _kind, signal) {
      signal?.throwIfAborted();
      return texts.map((text) => hashVector(text, dimensions));
    },
    async [Symbol.asyncDispose]() {
      // Nothing is held.
    },
  };
}

/** Unit vector of `dimensions` floats. A text without words, or whose features cancel out, gets the first axis. */
function hashVector(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  const lower = text.toLowerCase();
  let tokens = 0;
  eachWord(lower, (start, end) => {
    if (++tokens > MAX_TOKENS || (end - start === 1 && isAsciiMark(lower.charCodeAt(start)))) return;
    const hash = wordHash(lower, start, end);
    const axis = (hash >>> 1) % dimensions;
    vector[axis] = (vector[axis] ?? 0) + (hash & 1 ? 1 : -1);
  });
  let square = 0;
  for (const value of vector) square += value * value;
  if (square === 0) {
    vector[0] = 1;
    return vector;
  }
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}

/** Punctuation says nothing about the topic and would make all texts alike. */
function isAsciiMark(unit: number): boolean {
  return unit < 0x30 || (unit > 0x39 && unit < 0x61) || (unit > 0x7a && unit < 0x80);
}

/** FNV-1a with a final avalanche: without it the lowest bit, the sign, is nearly that of the last character. */
function wordHash(text: string, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
