import type { Clock, Random } from '../../runtime/clock.ts';
import { deadline } from '../../runtime/deadline.ts';
import { RerankerUnavailable, type RerankFailure } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { approximateTokenizer } from '../embedder/remote/approximate-tokenizer.ts';
import { prepareText } from '../embedder/remote/prepare-text.ts';
import { Circuit } from '../remote/circuit.ts';
import type { RequestFailure } from '../remote/request-failure.ts';
import { checkScores } from './check-scores.ts';
import type { RerankEndpoint, RerankService } from './rerank-endpoint.ts';
import type { Reranker, RerankRequest } from './reranker.ts';
import { Slots } from '../remote/slots.ts';

/** What all remote rerankers are told. */
export interface RemoteRerankerOptions {
  /** Most calls under way at once; 16 by default. */
  readonly maxConcurrency?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const DEFAULT_MAX_CONCURRENCY = 16;
/** Callers that wait for each one under way: what a server that answers in a quarter of the time limit gets done in time. */
const WAITING_PER_CALL = 4;
/** How long a server is left alone that asks for a pause and does not say for how long, ms. */
const DEFAULT_PAUSE_MS = 1_000;
/** Two texts that any reranker tells apart. */
const PROBE = {
  query: 'when does the nightly backup run',
  texts: ['The backup runs every night at two.', 'Whisk three eggs into the flour.'],
};

/**
 * Asks a reranking server once per call, or several times at once where a request may not hold all texts. Callers have an order to fall
 * back on and little time, so nothing is repeated: a server that fails several times in a row is left alone for a time that grows, and
 * one that asks for a pause gets it. Callers learn of either at once.
 */
export class RemoteReranker implements Reranker {
  readonly #endpoint: RerankEndpoint;
  readonly #options: RemoteRerankerOptions;
  readonly #circuit: Circuit;
  readonly #slots: Slots;
  /** One per call under way. Not one signal for all: what is derived from a signal that lives long may live as long. */
  readonly #calls = new Set<AbortController>();
  #closed = false;
  /** Forgotten when a request fails: a server that comes back may be another one. */
  #service: RerankService | undefined;
  #pausedUntilMs = -Infinity;

  constructor(endpoint: RerankEndpoint, options: RemoteRerankerOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#circuit = new Circuit(options);
    const most = options.maxConcurrency ?? DEFAULT_MAX_CONCURRENCY;
    this.#slots = new Slots(most, most * WAITING_PER_CALL);
  }

  get name(): string {
    return this.#endpoint.name;
  }

  /** Calls that hold a slot: for tests. */
  get underWay(): number {
    return this.#slots.taken;
  }

  async score({ query, texts, timeoutMs }: RerankRequest, signal: AbortSignal): Promise<readonly number[]> {
    signal.throwIfAborted();
    if (texts.length === 0) return [];
    this.#requireReady();
    const call = new AbortController();
    const limited = deadline(this.#options.clock, timeoutMs, AbortSignal.any([signal, call.signal]));
    this.#calls.add(call);
    try {
      const slot = await this.#slots.take(limited.signal);
      if (!slot) throw this.#failure('busy', 'too many requests wait for it');
      try {
        this.#requireReady(); // it may have gone down while this one waited
        return await this.#tracked(limited, signal, () => this.#ask(query, texts, limited.signal));
      } finally {
        slot.release();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (limited.expired()) throw this.#failure('timeout', `no reply in ${timeoutMs} ms`);
      if (this.#closed) throw this.#failure('failed', 'it is being closed');
      throw error;
    } finally {
      this.#calls.delete(call);
      limited.end();
    }
  }

  async probe(signal: AbortSignal): Promise<string> {
    this.#service = undefined;
    await this.#ask(PROBE.query, PROBE.texts, signal);
    return `serves ${(await this.#described(signal)).model}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls) call.abort(new Error('closed'));
  }

  /** @throws RerankerUnavailable while it makes no sense to ask. */
  #requireReady(): void {
    if (this.#closed) throw this.#failure('failed', 'it is being closed');
    if (this.#options.clock.monotonicMs() < this.#pausedUntilMs)
      throw this.#failure('overloaded', 'it has asked for a pause');
    if (this.#circuit.state === 'open') throw this.#failure('down', 'it has failed several times in a row');
  }

  /** Tells the circuit what became of a call. Whoever goes away says nothing about the server. */
  async #tracked<T>(
    limited: { readonly expired: () => boolean },
    signal: AbortSignal,
    call: () => Promise<T>,
  ): Promise<T> {
    this.#circuit.onSend();
    try {
      const result = await call();
      if (this.#circuit.state !== 'closed')
        this.#options.logger.info('The reranker answers again.', { reranker: this.name });
      this.#circuit.onAlive();
      return result;
    } catch (error) {
      const failure = error instanceof RerankerUnavailable ? error.failure : undefined;
      if (signal.aborted || this.#closed) this.#circuit.onAbandoned();
      else if (failure === 'refused' || failure === 'overloaded') this.#circuit.onAlive();
      else this.#onFailed(limited.expired() ? 'timeout' : (failure ?? 'failed'), error);
      throw error;
    }
  }

  #onFailed(failure: RerankFailure, cause: unknown): void {
    this.#service = undefined;
    if (!this.#circuit.onFailure()) return;
    this.#options.logger.warn(
      'The reranker gives no order; results keep their own, and it is asked again after a pause.',
      {
        reranker: this.name,
        failure,
        ...(cause instanceof RerankerUnavailable && { reason: cause.message }),
        pauseMs: Math.round(this.#circuit.openForMs),
      },
    );
  }

  async #ask(query: string, texts: readonly string[], signal: AbortSignal): Promise<readonly number[]> {
    const { maxTexts, maxQueryTokens, maxTextTokens } = await this.#described(signal);
    const cut = (text: string, maxTokens: number) => prepareText(text, '', approximateTokenizer, maxTokens).text;
    const sentQuery = cut(query, maxQueryTokens);
    const sentTexts = texts.map((text) => cut(text, maxTextTokens));
    const requests: Promise<readonly number[]>[] = [];
    // One failure makes the others useless.
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    for (let from = 0; from < sentTexts.length; from += maxTexts)
      requests.push(this.#send(sentQuery, sentTexts.slice(from, from + maxTexts), either));
    try {
      return (await Promise.all(requests)).flat();
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }

  async #send(query: string, texts: readonly string[], signal: AbortSignal): Promise<readonly number[]> {
    const outcome = await this.#endpoint.send(query, texts, signal);
    if (outcome.kind !== 'scores') throw this.#judge(outcome);
    const scores = checkScores(outcome.scores, texts.length);
    if (typeof scores === 'string') throw this.#failure('unusable', scores);
    return scores;
  }

  async #described(signal: AbortSignal): Promise<RerankService> {
    if (this.#service) return this.#service;
    const found = await this.#endpoint.describe(signal);
    if (found.kind !== 'service') throw this.#judge(found);
    return (this.#service = found);
  }

  #judge(failure: RequestFailure): RerankerUnavailable {
    // Fewer texts may be what it takes from now on.
    if (failure.kind === 'refused') this.#service = undefined;
    if (failure.kind === 'overloaded')
      this.#pausedUntilMs =
        this.#options.clock.monotonicMs() +
        (failure.retryAfterMs ?? DEFAULT_PAUSE_MS) * (1 + this.#options.random() / 4);
    return this.#failure(failure.kind, failure.reason);
  }

  /** @param reason never holds text of documents, queries or keys. */
  #failure(failure: RerankFailure, reason: string): RerankerUnavailable {
    return new RerankerUnavailable(`The ${this.name} reranker gives no order: ${reason}.`, { failure });
  }
}
