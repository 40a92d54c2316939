import { LRUCache } from 'lru-cache';
import type { Cache } from '../ports/cache/cache.ts';
import type { DocumentStore } from '../ports/document-store/document-store.ts';
import type { Embedder } from '../ports/embedder/embedder.ts';
import type { Clock } from '../runtime/clock.ts';
import { EmbeddingInvalid } from '../runtime/errors.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** A text that needs a vector. Equal keys stand for equal texts. */
export interface TextToEmbed {
  readonly vectorKey: string;
  readonly text: string;
  readonly tokens: number;
}

/** Takes a vector and its key. */
export type OnVector = (vectorKey: string, vector: Float32Array) => void;

/** Vectors for texts, each distinct text computed once (I7): from memory, from the store, from a computation under way, else anew. */
export interface Embedding {
  /** Vectors that are known without computing. */
  lookUp(texts: readonly TextToEmbed[], signal: AbortSignal): Promise<Map<string, Float32Array>>;
  /**
   * Computes the texts, in batches of a token budget across documents. @throws the embedder's errors.
   * @param onVector gets each vector as it comes, also when others fail.
   */
  compute(texts: readonly TextToEmbed[], signal: AbortSignal, onVector?: OnVector): Promise<Map<string, Float32Array>>;
  /** How long `compute` would take now, with what waits already, ms; 0 until something was measured. */
  estimateMs(texts: readonly TextToEmbed[]): number;
}

export interface EmbeddingOptions {
  readonly embedder: Embedder;
  readonly store: DocumentStore;
  readonly cache: Cache;
  readonly maxBatchTokens: number;
  /**
   * Batches of one call that are under way at a time; 2 by default: one in the model, one ready behind it. A remote embedder cuts requests of its
   * own and decides itself how many are in flight, so it wants as many as there are.
   */
  readonly streams?: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

const DEFAULT_STREAMS = 2;
/** 2 MB at 512 dimensions; a batch is looked up and computed within milliseconds. */
const RECENT_VECTORS = 1_024;
/** Weight of the newest batch in the running estimate of the model's speed. */
const SMOOTHING = 0.3;

export function createEmbedding(options: EmbeddingOptions): Embedding {
  return new SharedEmbedding(options);
}

class SharedEmbedding implements Embedding {
  readonly #options: EmbeddingOptions;
  readonly #underWay = new Map<string, Promise<Float32Array>>();
  /** The newest vectors: between looking a text up and computing it, another batch may have computed it. */
  readonly #recent = new LRUCache<string, Float32Array>({ max: RECENT_VECTORS });
  #waitingTokens = 0;
  #runningTokens = 0;
  #msPerToken: number | undefined;

  constructor(options: EmbeddingOptions) {
    this.#options = options;
  }

  estimateMs(texts: readonly TextToEmbed[]): number {
    return this.#msPerToken === undefined ? 0 : (this.#waitingTokens + tokensOf(texts)) * this.#msPerToken;
  }

  async lookUp(texts: readonly TextToEmbed[], signal: AbortSignal): Promise<Map<string, Float32Array>> {
    const { cache, store, embedder, metrics } = this.#options;
    const keys = [...new Set(texts.map((text) => text.vectorKey))];
    const found = new Map<string, Float32Array>();
    const cached = await cache.get(keys.map(cacheKey), signal);
    const missing = keys.filter((key, index) => {
      const bytes = cached[index];
      if (bytes?.byteLength === embedder.model.dimensions * 4) found.set(key, new Float32Array(bytes.slice().buffer));
      return !found.has(key);
    });
    const stored = missing.length === 0 ? [] : await store.vectors(missing, signal);
    missing.forEach((key, index) => {
      const vector = stored[index];
      if (vector) found.set(key, vector);
    });
    metrics.embedTexts.inc({ result: 'reused' }, texts.filter((text) => found.has(text.vectorKey)).length);
    return found;
  }

  async compute(
    texts: readonly TextToEmbed[],
    signal: AbortSignal,
    onVector?: OnVector,
  ): Promise<Map<string, Float32Array>> {
    const distinct = [...new Map(texts.map((text) => [text.vectorKey, text])).values()];
    const known = new Map(distinct.map(({ vectorKey }) => [vectorKey, this.#recent.get(vectorKey)]));
    const fresh = distinct.filter(({ vectorKey }) => !known.get(vectorKey) && !this.#underWay.has(vectorKey));
    this.#start(batchesOf(fresh, this.#options.maxBatchTokens), signal);
    const vectors = await Promise.all(
      distinct.map(async ({ vectorKey }) => {
        const vector = known.get(vectorKey) ?? (await this.#underWay.get(vectorKey));
        if (vector) onVector?.(vectorKey, vector);
        return [vectorKey, vector] as const;
      }),
    );
    return new Map(vectors.flatMap(([key, vector]) => (vector ? [[key, vector] as const] : [])));
  }

  /** Runs batches on a few streams and registers every text as under way until its batch has settled. */
  #start(batches: readonly (readonly TextToEmbed[])[], signal: AbortSignal): void {
    const queue = [...batches];
    const running = new Map<readonly TextToEmbed[], (run: Promise<readonly Float32Array[]>) => void>();
    for (const batch of batches) {
      this.#waitingTokens += tokensOf(batch);
      const settled = new Promise<readonly Float32Array[]>((resolve) => running.set(batch, resolve));
      batch.forEach((text, index) => this.#register(text.vectorKey, settled, index));
    }
    const stream = async (): Promise<void> => {
      for (let batch = queue.shift(); batch; batch = queue.shift()) {
        const run = this.#runBatch(batch, signal);
        running.get(batch)?.(run);
        await run.catch(() => undefined); // whoever waits for the texts gets the error
        this.#waitingTokens -= tokensOf(batch);
      }
    };
    for (let n = 0; n < Math.min(this.#options.streams ?? DEFAULT_STREAMS, batches.length); n++) void stream();
  }

  #register(key: string, batch: Promise<readonly Float32Array[]>, index: number): void {
    const vector = batch.then((vectors) => {
      const own = vectors[index];
      if (!own) throw new EmbeddingInvalid('The embedder left a text out.');
      return own;
    });
    const forget = (): void => void this.#underWay.delete(key);
    vector.then((own) => {
      this.#recent.set(key, own);
      forget();
    }, forget); // also keeps a batch that nobody waits for any more from ending the process
    this.#underWay.set(key, vector);
  }

  async #runBatch(batch: readonly TextToEmbed[], signal: AbortSignal): Promise<readonly Float32Array[]> {
    const { embedder, cache, clock, metrics } = this.#options;
    const started = clock.monotonicMs();
    const texts = batch.map((text) => text.text);
    const tokens = tokensOf(batch);
    this.#runningTokens += tokens;
    const besides = this.#runningTokens;
    const vectors = await embedder.embed(texts, 'passage', signal).finally(() => (this.#runningTokens -= tokens));
    const tookMs = clock.monotonicMs() - started;
    checkVectors(vectors, batch.length, embedder.model.dimensions);
    // What ran beside it got done in the same time: a service that takes many batches at once is as fast as all of them together.
    const measured = tookMs / Math.max(1, besides);
    this.#msPerToken =
      this.#msPerToken === undefined ? measured : (1 - SMOOTHING) * this.#msPerToken + SMOOTHING * measured;
    metrics.embedDuration.observe(tookMs / 1000);
    metrics.embedBatchTokens.observe(tokens);
    metrics.embedTexts.inc({ result: 'computed' }, batch.length);
    await cache.set(batch.flatMap((text, index) => cacheEntry(text.vectorKey, vectors[index])));
    return vectors;
  }
}

function cacheKey(vectorKey: string): string {
  return `vector/${vectorKey}`;
}

function cacheEntry(vectorKey: string, vector: Float32Array | undefined): { key: string; value: Uint8Array }[] {
  return vector
    ? [{ key: cacheKey(vectorKey), value: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength).slice() }]
    : [];
}

function tokensOf(texts: readonly TextToEmbed[]): number {
  return texts.reduce((tokens, text) => tokens + text.tokens, 0);
}

/**
 * Batches whose padded size stays within the token budget, longest texts first, so that texts of like length share a batch and
 * little is padded. Every text is in exactly one batch; one longer than the budget is alone.
 */
export function batchesOf(texts: readonly TextToEmbed[], maxBatchTokens: number): readonly (readonly TextToEmbed[])[] {
  const batches: TextToEmbed[][] = [];
  let current: TextToEmbed[] = [];
  for (const text of [...texts].sort((a, b) => b.tokens - a.tokens)) {
    const padded = (current[0]?.tokens ?? text.tokens) * (current.length + 1);
    if (current.length > 0 && padded > maxBatchTokens) {
      batches.push(current);
      current = [];
    }
    current.push(text);
  }
  if (current.length > 0) batches.push(current);
  return batches;
}

/** A sum is finite only if every term is: one check instead of one call per number. */
function isVector(vector: Float32Array): boolean {
  let sum = 0;
  for (const value of vector) sum += value;
  return Number.isFinite(sum);
}

/** @throws EmbeddingInvalid unless there is one finite vector of the right size per text (R32). */
function checkVectors(vectors: readonly Float32Array[], count: number, dimensions: number): void {
  if (vectors.length !== count)
    throw new EmbeddingInvalid(`The embedder gave ${vectors.length} vectors for ${count} texts.`);
  for (const vector of vectors) {
    if (vector.length !== dimensions)
      throw new EmbeddingInvalid(
        `The embedder gave a vector of ${vector.length} dimensions; the index has ${dimensions}.`,
      );
    if (!isVector(vector)) throw new EmbeddingInvalid('The embedder gave a vector that is not finite.');
  }
}
