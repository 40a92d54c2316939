import { silentLogger } from '../../../runtime/logger.ts';
import type { FakeClock } from '../../../test/support/fake-clock.ts';
import { hashEmbedder } from '../hash-embedder.ts';
import { wordTokenizer } from '../word-tokenizer.ts';
import type { EmbeddingEndpoint, SendOutcome, TextKind } from './endpoint.ts';
import { KnownTexts } from './known-texts.ts';
import { RemoteEmbedder, type RemoteEmbedderOptions } from './remote-embedder.ts';

export const DIMENSIONS = 32;
const vectors = hashEmbedder({ dimensions: DIMENSIONS });

/** A service in simulated time: works on `streams` requests at once and queues the rest. */
export class SimulatedService implements EmbeddingEndpoint {
  readonly name = 'simulated';
  readonly #clock: FakeClock;
  readonly requests: { readonly texts: readonly string[]; readonly kind: TextKind; readonly atMs: number }[] = [];
  streams = 1;
  callMs = 100;
  /** Requests beyond this many are refused. */
  permits = Infinity;
  inFlight = 0;
  maxInFlight = 0;
  refused = 0;
  /** What the next requests meet instead, in order; a function is asked with their texts, and undefined lets a request pass. */
  readonly script: ((texts: readonly string[]) => SendOutcome | 'hang' | undefined)[] = [];
  /** Asked for every request, before the script. */
  always: ((texts: readonly string[]) => SendOutcome | 'hang' | undefined) | undefined;
  spoil: ((vectors: readonly Float32Array[], texts: readonly string[]) => readonly Float32Array[]) | undefined;
  #freeAtMs: number[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async send(texts: readonly string[], kind: TextKind, signal: AbortSignal): Promise<SendOutcome> {
    this.requests.push({ texts, kind, atMs: this.#clock.monotonicMs() });
    if (this.inFlight >= this.permits) {
      this.refused++;
      return { kind: 'overloaded', reason: 'status 429', retryAfterMs: undefined };
    }
    this.inFlight++;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    try {
      const scripted = this.always?.(texts) ?? this.script.shift()?.(texts);
      if (scripted === 'hang') await this.#clock.sleep(1e12, signal);
      else if (scripted) return scripted;
      await this.#work(signal);
      const right = await vectors.embed(texts, 'passage');
      return { kind: 'vectors', vectors: this.spoil?.(right, texts) ?? right };
    } finally {
      this.inFlight--;
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (this.#freeAtMs.length < this.streams) this.#freeAtMs.push(0);
    this.#freeAtMs = this.#freeAtMs.slice(0, this.streams).sort((a, b) => a - b);
    const now = this.#clock.monotonicMs();
    const endMs = Math.max(now, this.#freeAtMs[0] ?? 0) + this.callMs;
    this.#freeAtMs[0] = endMs;
    await this.#clock.sleep(endMs - now, signal);
  }
}

export const failed: SendOutcome = { kind: 'failed', reason: 'ECONNRESET', retryAfterMs: undefined };

/** An embedder over a simulated service, with the known texts learnt. */
export async function openSimulated(
  clock: FakeClock,
  service: EmbeddingEndpoint,
  options: Partial<RemoteEmbedderOptions> = {},
): Promise<RemoteEmbedder> {
  const random = (): number => 0.5;
  const { known } = await KnownTexts.learn((texts) => vectors.embed(texts, 'passage'), random);
  // What follows the opening: no doubt any more, so that requests hold what a test put in.
  while (known.isDue) known.passengerFor(2);
  return new RemoteEmbedder({
    endpoint: service,
    known,
    limits: { maxTexts: 8, maxTokens: 1_000 },
    model: { name: 'hash', revision: '1', dimensions: DIMENSIONS, maxTokens: 100, fingerprint: '0123456789ab' },
    tokenizer: wordTokenizer,
    prefixes: { query: '', passage: '' },
    maxSentTokens: 100,
    expected: { identity: undefined, servedBy: undefined },
    maxConcurrency: 64,
    timeoutMs: 30_000,
    hedgeAfterMs: undefined,
    clock,
    random,
    logger: silentLogger,
    metrics: undefined,
    ...options,
  });
}

/** Distinct texts of one token more or less. */
export function texts(count: number, mark = 'text'): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${mark} ${i}`);
}

/** Moves time on until the promise settles, in steps, and returns how long it took, ms. @throws what it rejects with. */
export async function advanceUntil(clock: FakeClock, promise: Promise<unknown>, stepMs = 10): Promise<number> {
  const startedMs = clock.monotonicMs();
  let settled = false;
  const end = (): void => void (settled = true);
  promise.then(end, end);
  for (;;) {
    await new Promise(setImmediate);
    if (settled) break;
    await clock.advance(stepMs);
  }
  await promise;
  return clock.monotonicMs() - startedMs;
}
