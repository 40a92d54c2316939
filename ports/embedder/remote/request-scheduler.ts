import type { Clock, Random } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import { retryDelayMs } from '../../../runtime/retry.ts';
import { Circuit } from '../../remote/circuit.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { EmbeddingEndpoint, RequestLimits, SendOutcome } from './endpoint.ts';
import { hedged } from './hedge.ts';
import type { KnownTexts, Passenger } from './known-texts.ts';
import { WaitingTexts, type Batch, type WaitingText } from './waiting-texts.ts';

/** Pause of all sending after a refusal without `Retry-After`. */
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** Share by which a `Retry-After` is stretched at random, so that many clients do not come back together. */
const PAUSE_JITTER = 0.1;
/** Queries may exceed the limit by this many requests: one must not wait for a passage's reply before it is even sent. */
const QUERY_RESERVE = 1;

/** What the scheduler sends through, and within which bounds. */
export interface RequestSchedulerOptions {
  readonly endpoint: EmbeddingEndpoint;
  readonly limits: RequestLimits;
  readonly known: KnownTexts;
  readonly maxConcurrency: number;
  readonly timeoutMs: number;
  /** When to send a query a second time, ms; undefined: never. */
  readonly hedgeAfterMs: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

/** A request that was sent. */
export interface SentRequest {
  readonly batch: Batch;
  /** The known text among its texts. */
  readonly passenger: Passenger | undefined;
}

/** What became of a request, and what it means for others: `still-down` when it was the trial after a pause. */
export interface Settlement {
  readonly outcome: SendOutcome;
  readonly server: 'alive' | 'failing' | 'down' | 'still-down';
}

interface Request extends SentRequest {
  readonly abort: AbortController;
  readonly startedMs: number;
  readonly inFlight: number;
  readonly generation: number;
  expired: boolean;
}

/**
 * Sends what waits: queries first, full requests, as many at once as the service works on, none while it asked to be left alone or is
 * down. Every text that was added comes back in exactly one settlement, unless all of its request's callers have given up.
 */
export class RequestScheduler {
  readonly #options: RequestSchedulerOptions;
  readonly #settle: (request: SentRequest, settlement: Settlement) => Promise<void>;
  readonly #waiting: WaitingTexts;
  readonly #limit: ConcurrencyLimit;
  readonly #circuit: Circuit;
  readonly #requests = new Set<Request>();
  readonly #closing = new AbortController();
  readonly #delayed = new Set<readonly WaitingText[]>();
  #pausedUntilMs = 0;
  #overloads = 0;
  #scheduled = false;
  #wakingAtMs: number | undefined;
  #watching = false;

  /** @param settle must not throw. */
  constructor(
    options: RequestSchedulerOptions,
    settle: (request: SentRequest, settlement: Settlement) => Promise<void>,
  ) {
    this.#options = options;
    this.#settle = settle;
    this.#waiting = new WaitingTexts(options.limits);
    this.#limit = new ConcurrencyLimit({ max: options.maxConcurrency, clock: options.clock });
    this.#circuit = new Circuit(options);
  }

  /** Requests that may be in flight now, as found. */
  get concurrency(): number {
    return this.#limit.current;
  }

  /** How long nothing will be sent because the service is down, ms; 0 when it is not. */
  get downForMs(): number {
    return this.#circuit.openForMs;
  }

  /** Whether texts may share requests; one by one, no reply can mix them up. */
  set together(together: boolean) {
    this.#waiting.together = together;
  }

  add(texts: readonly WaitingText[]): void {
    this.#waiting.add(texts);
    this.#schedule();
  }

  /** Sends texts again, before others of their kind, after a delay. */
  sendAgain(texts: readonly WaitingText[], delayMs: number): void {
    if (texts.length === 0) return;
    this.#delayed.add(texts);
    this.#options.clock.sleep(delayMs, this.#closing.signal).then(
      () => {
        if (!this.#delayed.delete(texts)) return;
        this.#waiting.putBack(texts);
        this.#schedule();
      },
      () => undefined,
    );
  }

  /** Takes everything out that is not in flight. */
  drain(): readonly WaitingText[] {
    const all = [...this.#waiting.drain(), ...[...this.#delayed].flat()];
    this.#delayed.clear();
    return all;
  }

  /** A caller has given up: requests that nobody waits for any more are ended. */
  onCallEnded(): void {
    for (const { batch, abort } of this.#requests) {
      if (batch.texts.every(({ call }) => call.settled)) abort.abort(new Error('nobody waits for it'));
    }
  }

  /** Ends what is in flight; nothing is sent any more. @returns texts that were waiting or in flight. */
  close(): readonly WaitingText[] {
    const open = [...this.drain(), ...[...this.#requests].flatMap(({ batch }) => batch.texts)];
    const closed = new Error('closed');
    this.#closing.abort(closed);
    // One by one: a signal made of the lasting one would stay tied to it for ever (nodejs/node#54614).
    for (const { abort } of this.#requests) abort.abort(closed);
    return open;
  }

  /** Sends in the next microtask: texts that callers bring in one go share requests. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#mayStart()) {
        const batch = this.#waiting.take(this.#options.known.isDue ? 1 : 0);
        if (!batch) return;
        void this.#run(batch);
      }
    });
  }

  #mayStart(): boolean {
    if (this.#closing.signal.aborted || this.#waiting.size === 0) return false;
    const waitMs = Math.max(this.#pausedUntilMs - this.#options.clock.monotonicMs(), this.#circuit.openForMs);
    if (waitMs > 0) {
      this.#wakeIn(waitMs);
      return false;
    }
    if (this.#circuit.state === 'open') return false; // the trial's outcome goes on from here
    return this.#requests.size < this.#limit.current + (this.#waiting.hasQueries ? QUERY_RESERVE : 0);
  }

  #wakeIn(ms: number): void {
    const { clock } = this.#options;
    const atMs = clock.monotonicMs() + ms;
    if (this.#wakingAtMs !== undefined && this.#wakingAtMs <= atMs) return;
    this.#wakingAtMs = atMs;
    clock.sleep(ms, this.#closing.signal).then(
      () => {
        if (this.#wakingAtMs === atMs) this.#wakingAtMs = undefined;
        this.#schedule();
      },
      () => undefined,
    );
  }

  async #run(batch: Batch): Promise<void> {
    const request: Request = {
      batch,
      passenger: this.#options.known.passengerFor(batch.texts.length),
      abort: new AbortController(),
      startedMs: this.#options.clock.monotonicMs(),
      inFlight: this.#requests.size + 1,
      generation: this.#limit.generation,
      expired: false,
    };
    this.#requests.add(request);
    this.#watch();
    this.#circuit.onSend();
    const outcome = await this.#send(request);
    this.#requests.delete(request);
    if (outcome === undefined) this.#circuit.onAbandoned();
    const settlement = outcome && { outcome, server: this.#learn(request, outcome) };
    this.#schedule(); // the slot is free while the reply is checked
    if (settlement) await this.#settle(request, settlement);
  }

  /** One request; undefined when nobody waits for it any more. Never throws. */
  async #send(request: Request): Promise<SendOutcome | undefined> {
    const { endpoint, clock, timeoutMs, hedgeAfterMs } = this.#options;
    const { batch, passenger, abort } = request;
    const texts = batch.texts.map(({ text }) => text);
    if (passenger) texts.splice(passenger.position, 0, passenger.text);
    try {
      const send = (signal: AbortSignal): Promise<SendOutcome> => endpoint.send(texts, batch.kind, signal);
      if (batch.kind === 'passage' || hedgeAfterMs === undefined) return await send(abort.signal);
      return await hedged(send, hedgeAfterMs, clock, abort.signal);
    } catch (error) {
      if (request.expired) return { kind: 'failed', reason: `no reply in ${timeoutMs} ms`, retryAfterMs: undefined };
      if (abort.signal.aborted) return undefined;
      return { kind: 'failed', reason: error instanceof Error ? error.name : 'unknown error', retryAfterMs: undefined };
    }
  }

  /** Ends requests whose time is up. One timer for all of them: a timer and two signals for each cost 0.3 ms of CPU per request. */
  #watch(): void {
    if (this.#watching) return;
    const { clock, timeoutMs } = this.#options;
    const oldest = [...this.#requests].find(({ expired }) => !expired);
    if (!oldest) return;
    this.#watching = true;
    clock.sleep(oldest.startedMs + timeoutMs - clock.monotonicMs(), this.#closing.signal).then(
      () => {
        this.#watching = false;
        const now = clock.monotonicMs();
        for (const request of this.#requests) {
          if (now - request.startedMs < timeoutMs) break;
          request.expired = true;
          request.abort.abort(new Error('timeout'));
        }
        this.#watch();
      },
      () => undefined,
    );
  }

  /** What an outcome says about the service, whatever it says about the texts. */
  #learn({ batch, startedMs, inFlight, generation }: Request, outcome: SendOutcome): Settlement['server'] {
    const { clock, metrics } = this.#options;
    metrics?.embedRequests.inc({ outcome: outcome.kind });
    if (outcome.kind === 'failed') {
      if (outcome.retryAfterMs !== undefined) this.#pause(outcome.retryAfterMs);
      return this.#onFailed(outcome.reason);
    }
    this.#circuit.onAlive();
    if (outcome.kind === 'overloaded') {
      this.#limit.onOverload(generation);
      this.#overloads++;
      const bounds = { minDelayMs: MIN_PAUSE_MS, maxDelayMs: MAX_PAUSE_MS, random: this.#options.random };
      this.#pause(outcome.retryAfterMs ?? retryDelayMs(this.#overloads, bounds));
    } else if (outcome.kind === 'vectors') {
      this.#overloads = 0;
      // Reading 32 vectors out of JSON takes this process some milliseconds, which no server works on.
      const tookMs = (outcome.answeredAtMs ?? clock.monotonicMs()) - startedMs;
      this.#limit.onReply({ tookMs, tokens: batch.tokens, inFlight, generation });
    }
    metrics?.embedConcurrency.set(this.#limit.current);
    return 'alive';
  }

  #onFailed(reason: string): Settlement['server'] {
    const { logger, endpoint } = this.#options;
    const wasDown = this.#circuit.state !== 'closed';
    if (!this.#circuit.onFailure()) return 'failing';
    const pauseMs = Math.round(this.#circuit.openForMs);
    logger.warn('The embedder does not answer; it is tried again after a pause.', {
      embedder: endpoint.name,
      reason,
      pauseMs,
    });
    return wasDown ? 'still-down' : 'down';
  }

  #pause(ms: number): void {
    const { clock, random, logger, endpoint } = this.#options;
    const pauseMs = ms * (1 + PAUSE_JITTER * random());
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.monotonicMs() + pauseMs);
    logger[pauseMs >= 1_000 ? 'warn' : 'debug']('The embedder asks for a pause.', {
      embedder: endpoint.name,
      pauseMs: Math.round(pauseMs),
      concurrency: this.#limit.current,
    });
  }
}
