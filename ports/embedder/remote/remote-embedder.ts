import { deadline } from '../../../runtime/deadline.ts';
import { EmbedderUnavailable, EmbeddingInvalid, ModelMismatch, type FreshetError } from '../../../runtime/errors.ts';
import { retryDelayMs } from '../../../runtime/retry.ts';
import type { Embedder, EmbedderModel, Tokenizer } from '../embedder.ts';
import { checkReply } from './check-reply.ts';
import type { SendOutcome, TextKind } from './endpoint.ts';
import { Identity, type ExpectedModel } from './identity.ts';
import { KnownTexts } from './known-texts.ts';
import { prepareText } from './prepare-text.ts';
import {
  RequestScheduler,
  type RequestSchedulerOptions,
  type SentRequest,
  type Settlement,
} from './request-scheduler.ts';
import type { Call, WaitingText } from './waiting-texts.ts';

/** Failed sends of one text before its caller is told; the caller may send it again. */
const MAX_FAILURES = 6;
/** Refusals for load before its caller is told: many, because a storm of 429 passes and nothing is wrong with the text. */
const MAX_OVERLOADS = 40;
/** Unusable replies to one text before it counts as the text's fault. */
const MAX_REJECTIONS = 3;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 10_000;
/** How often a service that mixed its replies up is looked at again. */
const TRUST_AGAIN_MS = 30_000;

/** What the three remote adapters have in common. */
export interface RemoteEmbedderOptions extends RequestSchedulerOptions {
  readonly model: EmbedderModel;
  readonly tokenizer: Tokenizer;
  readonly prefixes: Readonly<Record<TextKind, string>>;
  /** Longest text in tokens that is sent, prefix included, special tokens not; longer ones are cut. */
  readonly maxSentTokens: number;
  readonly expected: ExpectedModel;
}

/**
 * Embeds through a service: the texts of all callers share requests, what failed is repeated within bounds, and only vectors that were checked
 * are handed out (R32). One text's fault never fails another caller.
 */
export class RemoteEmbedder implements Embedder {
  readonly model: EmbedderModel;
  readonly tokenizer: Tokenizer;
  readonly #options: RemoteEmbedderOptions;
  readonly #scheduler: RequestScheduler;
  readonly #identity: Identity;
  readonly #closing = new AbortController();
  /** Set once and for good: closed, or the service is not the one that the index was built with. */
  #ended: FreshetError | undefined;
  /** When a service that mixed its replies up is looked at again; undefined while it is trusted. */
  #distrustedUntilMs: number | undefined;
  /** The fault that was logged last, so that one that lasts is logged once. */
  #alarm: string | undefined;

  constructor(options: RemoteEmbedderOptions) {
    this.#options = options;
    this.model = options.model;
    this.tokenizer = options.tokenizer;
    this.#identity = new Identity(options);
    this.#scheduler = new RequestScheduler(options, async (request, settlement) => {
      try {
        await this.#settle(request, settlement);
      } catch (error) {
        for (const { call } of request.batch.texts) this.#fail(call, error);
      }
    });
  }

  /** Requests that may be in flight now, as found. */
  get concurrency(): number {
    return this.#scheduler.concurrency;
  }

  embed(texts: readonly string[], kind: TextKind, signal?: AbortSignal): Promise<readonly Float32Array[]> {
    return new Promise((resolve, reject) => {
      const refusal = signal?.aborted ? (signal.reason as Error) : this.#refusal(kind);
      if (refusal || texts.length === 0) {
        if (refusal) reject(refusal);
        else resolve([]);
        return;
      }
      const onAbort = (): void => {
        this.#fail(call, signal?.reason);
        this.#scheduler.onCallEnded();
      };
      const call: Call = {
        kind,
        vectors: [],
        remaining: texts.length,
        settled: false,
        resolve: (vectors) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(vectors);
        },
        reject: (reason) => {
          signal?.removeEventListener('abort', onAbort);
          reject(reason as Error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#scheduler.add(texts.map((text, index) => this.#waitingText(text, call, index)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new EmbedderUnavailable('The embedder is closed.'));
  }

  #waitingText(text: string, call: Call, index: number): WaitingText {
    const { tokenizer, prefixes, maxSentTokens } = this.#options;
    const prepared = prepareText(text, prefixes[call.kind], tokenizer, maxSentTokens);
    return { ...prepared, call, index, failures: 0, overloads: 0, rejections: 0, arrival: 0, maxCompany: Infinity };
  }

  /** Why a call is not even taken. Passages wait for a service that may come back; a query's caller has something else to do. */
  #refusal(kind: TextKind): FreshetError | undefined {
    if (this.#ended) return this.#ended;
    const downForMs = this.#scheduler.downForMs;
    return kind === 'query' && downForMs > 0 ? this.#unavailable('does not answer', downForMs) : undefined;
  }

  async #settle(request: SentRequest, { outcome, server }: Settlement): Promise<void> {
    const { texts } = request.batch;
    switch (outcome.kind) {
      case 'vectors':
        await this.#onVectors(request, outcome);
        return;
      case 'overloaded': {
        const error = this.#unavailable(`is overloaded: ${outcome.reason}`, outcome.retryAfterMs);
        this.#again(texts, (text) => (++text.overloads < MAX_OVERLOADS ? undefined : error), 0, outcome.reason);
        return;
      }
      case 'failed':
        this.#onFailed(texts, outcome.reason, server);
        return;
      case 'refused':
        this.#onRefused(texts, outcome.reason);
        return;
      case 'forbidden': {
        const error = this.#unavailable(
          `refuses every request, ${outcome.reason}: check its address, key and model`,
          0,
        );
        this.#raise(error);
        for (const { call } of [...texts, ...this.#scheduler.drain()]) this.#fail(call, error);
        return;
      }
      case 'unusable':
        this.#onUnusable(texts, outcome.reason);
    }
  }

  async #onVectors(request: SentRequest, { vectors, servedBy }: SendOutcome & { kind: 'vectors' }): Promise<void> {
    const { batch, passenger } = request;
    const checked = checkReply(vectors, batch.texts.length + (passenger ? 1 : 0), this.model.dimensions);
    if (checked.kind === 'unusable') {
      this.#onUnusable(batch.texts, checked.reason);
      return;
    }
    const own = [...checked.vectors];
    const carried = passenger && own.splice(passenger.position, 1)[0];
    const stranger = passenger !== undefined && !KnownTexts.recognises(passenger, carried);
    if (stranger) this.#identity.doubt();
    const confirmation = await this.#identity.confirm(servedBy, this.#closing.signal);
    if (confirmation instanceof ModelMismatch) {
      this.#end(confirmation, batch.texts);
      this.#raise(confirmation);
    } else if (confirmation === 'unknown') {
      this.#onFailed(batch.texts, 'it does not say which model it serves', 'failing');
    } else if (stranger) await this.#onStranger(batch.texts);
    else {
      this.#alarm = undefined;
      for (const [index, text] of batch.texts.entries()) this.#accept(text, own[index]);
      await this.#trustAgain();
    }
  }

  #accept(text: WaitingText, vector: Float32Array | undefined): void {
    const { call } = text;
    if (call.settled) return;
    if (!vector) {
      text.maxCompany = 1; // its neighbours need not be sent again with it
      this.#reject([text], 'its vector is zero or not finite');
      return;
    }
    call.vectors[text.index] = vector;
    if (--call.remaining > 0) return;
    call.settled = true;
    call.resolve(call.vectors);
  }

  /** A known text got another vector: the model changed, or vectors stand at the wrong places. Nothing of the reply is used. */
  async #onStranger(texts: readonly WaitingText[]): Promise<void> {
    this.#options.known.doubt();
    const verdict = await this.#verify();
    if (verdict === 'changed') {
      const error = new ModelMismatch(
        `The ${this.#options.endpoint.name} embedder gives known texts other vectors than before: its model changed.`,
      );
      this.#end(error, texts);
      this.#raise(error);
      return;
    }
    if (verdict === 'reordered') {
      this.#raise(this.#unavailable('returns vectors in another order than the texts; it gets one text at a time', 0));
      this.#scheduler.together = false;
      this.#distrustedUntilMs = this.#options.clock.monotonicMs() + TRUST_AGAIN_MS;
    }
    for (const text of texts) text.maxCompany = 1; // alone, no order can be wrong
    this.#reject(texts, 'vectors stand at the wrong places');
  }

  async #trustAgain(): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (this.#distrustedUntilMs === undefined || now < this.#distrustedUntilMs) return;
    this.#distrustedUntilMs = now + TRUST_AGAIN_MS;
    if ((await this.#verify()) !== 'right') return;
    this.#distrustedUntilMs = undefined;
    this.#scheduler.together = true;
    this.#options.logger.info('The embedder keeps the order of texts again.');
  }

  /** Sends the known texts by themselves. `unknown` when no answer came. */
  async #verify(): Promise<'right' | 'reordered' | 'changed' | 'unknown'> {
    const { endpoint, clock, timeoutMs, known } = this.#options;
    const limited = deadline(clock, timeoutMs, this.#closing.signal);
    try {
      return await known.verify(async (texts) => {
        const outcome = await endpoint.send(texts, 'passage', limited.signal);
        if (outcome.kind !== 'vectors') throw this.#unavailable('gives no answer to a probe', 0);
        return outcome.vectors;
      });
    } catch {
      return 'unknown';
    } finally {
      limited.end();
    }
  }

  #onFailed(texts: readonly WaitingText[], reason: string, server: Settlement['server']): void {
    this.#identity.doubt();
    this.#options.known.doubt();
    const error = this.#unavailable(`failed: ${reason}`, this.#scheduler.downForMs);
    // The trial failed too: whoever waits is told, and may come again.
    if (server === 'still-down') for (const { call } of this.#scheduler.drain()) this.#fail(call, error);
    const spent = (text: WaitingText): FreshetError | undefined =>
      ++text.failures >= MAX_FAILURES || server === 'still-down' ? error : undefined;
    this.#again(texts, spent, Math.max(1, ...texts.map(({ failures }) => failures + 1)), reason);
  }

  /** The request is too large, or holds a text that the service does not take: halves find out. */
  #onRefused(texts: readonly WaitingText[], reason: string): void {
    if (texts.length === 1) this.#reject(texts, `refused with ${reason}`);
    else {
      for (const text of texts) text.maxCompany = Math.ceil(texts.length / 2);
      this.#again(texts, () => undefined, 0, reason);
    }
  }

  #onUnusable(texts: readonly WaitingText[], reason: string): void {
    this.#identity.doubt();
    this.#options.known.doubt();
    this.#reject(texts, reason);
  }

  /** Sends texts again that got nothing usable; a text that never does is its caller's. */
  #reject(texts: readonly WaitingText[], reason: string): void {
    const error = new EmbeddingInvalid(`The ${this.#options.endpoint.name} embedder gave no usable vector: ${reason}.`);
    const rejections = Math.max(1, ...texts.map((text) => text.rejections + 1));
    this.#again(texts, (text) => (++text.rejections < MAX_REJECTIONS ? undefined : error), rejections, reason);
  }

  /** @param spent the error of a text that is not sent again. @param attempt for the delay; 0: none. */
  #again(
    texts: readonly WaitingText[],
    spent: (text: WaitingText) => FreshetError | undefined,
    attempt: number,
    reason: string,
  ): void {
    const { logger, random, metrics, endpoint } = this.#options;
    const again = texts.filter((text) => {
      const error = text.call.settled ? undefined : (this.#ended ?? spent(text));
      if (error) this.#fail(text.call, error);
      return !text.call.settled;
    });
    if (again.length === 0) return;
    metrics?.retries.inc({
      operation: 'embed',
      code: reason.startsWith('status') ? reason : 'FRESHET_EMBEDDER_UNAVAILABLE',
    });
    const delayMs =
      attempt === 0 ? 0 : retryDelayMs(attempt, { minDelayMs: MIN_RETRY_MS, maxDelayMs: MAX_RETRY_MS, random });
    logger[delayMs >= 1_000 ? 'warn' : 'debug']('Will embed texts again after a delay.', {
      embedder: endpoint.name,
      reason,
      texts: again.length,
      delayMs: Math.round(delayMs),
    });
    this.#scheduler.sendAgain(again, delayMs);
  }

  #fail(call: Call, reason: unknown): void {
    if (call.settled) return;
    call.settled = true;
    call.reject(reason);
  }

  /** No more calls, and none that waits will be served. @param settling texts of a request that the scheduler has given back. */
  #end(error: FreshetError, settling: readonly WaitingText[] = []): void {
    this.#ended ??= error;
    for (const { call } of [...settling, ...this.#scheduler.close()]) this.#fail(call, error);
    this.#closing.abort(error);
  }

  #raise(error: FreshetError): void {
    if (this.#alarm === error.message) return;
    this.#alarm = error.message;
    this.#options.logger.error(error.message, { embedder: this.#options.endpoint.name, code: error.code });
  }

  #unavailable(what: string, afterMs: number | undefined): EmbedderUnavailable {
    const message = `The ${this.#options.endpoint.name} embedder ${what}.`;
    if (afterMs === undefined || afterMs <= 0) return new EmbedderUnavailable(message);
    return new EmbedderUnavailable(message, { retryAfterSeconds: Math.ceil(afterMs / 1000) });
  }
}
