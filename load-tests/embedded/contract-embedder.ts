import { createHash } from 'node:crypto';
import type { Embedder, EmbedderModel } from '../../ports/embedder/embedder.ts';
import { wordTokenizer } from '../../ports/embedder/word-tokenizer.ts';
import { systemClock } from '../../runtime/clock.ts';

const DIMENSIONS = 384;
/** Mean of a byte: what is taken off each, so that the vector points anywhere. */
const MEAN_BYTE = 127.5;

/** What the embedder has done since it was last asked. */
export interface EmbedderWork {
  readonly calls: number;
  readonly texts: number;
  /** Time spent inside, s: from the start of each call on the device to its end. */
  readonly seconds: number;
}

export interface SimulatedDevice {
  /** What a call costs besides, ms, and each of its texts, us. */
  readonly callMs: number;
  readonly textUs: number;
}

/**
 * The embedder that every peer is measured with: SHAKE-256 of the text as a unit vector. One device, one call at a time, which takes as long as
 * `device` says: what waits for it is not counted as time inside. A query of one text overtakes nothing.
 */
export class ContractEmbedder implements Embedder {
  readonly model: EmbedderModel = {
    name: 'shake-256',
    revision: '1',
    dimensions: DIMENSIONS,
    maxTokens: 512,
    fingerprint: 'shake256v1',
  };
  readonly tokenizer = wordTokenizer;
  readonly #device: SimulatedDevice;
  #turn: Promise<unknown> = Promise.resolve();
  #calls = 0;
  #texts = 0;
  #seconds = 0;

  constructor(device: SimulatedDevice = { callMs: 0, textUs: 0 }) {
    this.#device = device;
  }

  embed(texts: readonly string[], kind: 'passage' | 'query', signal?: AbortSignal): Promise<readonly Float32Array[]> {
    const vectors = this.#turn.then(() => this.#run(texts, kind, signal));
    this.#turn = vectors.catch(() => undefined);
    return vectors;
  }

  /** What was done since the last `take`. */
  take(): EmbedderWork {
    const work = { calls: this.#calls, texts: this.#texts, seconds: this.#seconds };
    [this.#calls, this.#texts, this.#seconds] = [0, 0, 0];
    return work;
  }

  async #run(texts: readonly string[], kind: 'passage' | 'query', signal?: AbortSignal): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const begun = systemClock.monotonicMs();
    const vectors = texts.map(vectorOf);
    const waitMs = this.#device.callMs + (texts.length * this.#device.textUs) / 1_000;
    if (waitMs > 0) await systemClock.sleep(waitMs, signal);
    if (kind === 'passage') {
      this.#calls++;
      this.#texts += texts.length;
      this.#seconds += (systemClock.monotonicMs() - begun) / 1_000;
    }
    return vectors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
  }
}

function vectorOf(text: string): Float32Array {
  const bytes = createHash('shake256', { outputLength: DIMENSIONS }).update(text).digest();
  const vector = new Float32Array(DIMENSIONS);
  let square = 0;
  for (let i = 0; i < DIMENSIONS; i++) {
    const value = (bytes[i] ?? 0) - MEAN_BYTE;
    vector[i] = value;
    square += value * value;
  }
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < DIMENSIONS; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}
