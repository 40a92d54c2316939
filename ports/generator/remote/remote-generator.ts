import type { Clock, Random } from '../../../runtime/clock.ts';
import { deadline } from '../../../runtime/deadline.ts';
import { GeneratorUnavailable, Overloaded } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import { retryDelayMs } from '../../../runtime/retry.ts';
import { Circuit } from '../../remote/circuit.ts';
import type { RequestFailure } from '../../remote/request-failure.ts';
import { Slots, type Slot } from '../../remote/slots.ts';
import type { GenerateEvent, GenerateRequest, Generator } from '../generator.ts';
import { groundedAnswer1 } from '../prompts/grounded-answer-1.ts';
import type { GroundedPrompt } from '../prompts/grounded-prompt.ts';
import { packPassages, tracePacking } from '../prompts/pack-passages.ts';
import { DONT_KNOW } from '../refusal.ts';
import { AnswerReader } from './answer-reader.ts';
import { ChatFailure, type ChatEndpoint, type ChatRequest } from './chat-endpoint.ts';
import { UsageMeter, type Prices } from './usage-meter.ts';
import { watchedStream } from './watched-stream.ts';

/** What all remote generators are told; ms and tokens as in docs/CONFIG.md. */
export interface RemoteGeneratorOptions extends Prices {
  readonly endpoint: ChatEndpoint;
  readonly maxTokens: number;
  readonly contextTokens: number;
  readonly temperature: number;
  readonly timeoutMs: number;
  readonly stallMs: number;
  readonly maxConcurrent: number;
  readonly maxWaiting: number;
  readonly unsupported: 'mark' | 'drop';
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

/** Requests for one answer, all within `timeoutMs`. */
const ATTEMPTS = 3;
const MIN_RETRY_MS = 200;
const MAX_RETRY_MS = 2_000;

type Outcome = RequestFailure['kind'] | 'answered' | 'no-answer' | 'broken' | 'aborted';

/**
 * Writes answers through a server. Until the first words are passed on, what fails is repeated within `timeoutMs`, and after that a failure ends the
 * answer: nobody could take words back. A server that fails again and again is left alone for a time. The caller's leaving closes the connection
 * to the server and frees the place.
 */
export class RemoteGenerator implements Generator {
  readonly model: string;
  readonly prompt: string;
  readonly #options: RemoteGeneratorOptions;
  readonly #prompt: GroundedPrompt = groundedAnswer1;
  readonly #circuit: Circuit;
  readonly #slots: Slots;

  constructor(options: RemoteGeneratorOptions) {
    const { endpoint, maxConcurrent, maxWaiting, metrics } = options;
    this.#options = options;
    this.model = endpoint.model;
    this.prompt = this.#prompt.version;
    this.#circuit = new Circuit(options);
    this.#slots = new Slots(maxConcurrent, maxWaiting, (waiting) =>
      metrics?.generateWaiting.set({ generator: this.model }, waiting),
    );
  }

  /** Answers that are being written. */
  get inFlight(): number {
    return this.#slots.taken;
  }

  /** What the server says of itself. @throws GeneratorUnavailable, InvalidConfig, the signal's reason. */
  async probe(signal: AbortSignal): Promise<string> {
    try {
      return await this.#options.endpoint.probe(signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof ChatFailure ? this.#unavailable(error.fault) : error;
    }
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    signal.throwIfAborted();
    const { contextTokens, timeoutMs, clock } = this.#options;
    const packed = packPassages(request, this.#prompt, contextTokens);
    tracePacking(request, packed);
    if (packed.passages.length === 0) {
      yield { kind: 'token', text: DONT_KNOW };
      yield { kind: 'done', refused: true, reason: 'no passages', usage: { promptTokens: 0, completionTokens: 0 } };
      return;
    }
    const firstByMs = clock.monotonicMs() + timeoutMs;
    const slot = await this.#takeSlot(signal);
    try {
      yield* this.#ask(packed, firstByMs, signal);
    } finally {
      slot.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held between two answers; whoever reads one ends it by its signal.
  }

  async #takeSlot(signal: AbortSignal): Promise<Slot> {
    const limited = deadline(this.#options.clock, this.#options.timeoutMs, signal);
    let slot: Slot | undefined;
    try {
      slot = await this.#slots.take(limited.signal);
    } catch {
      signal.throwIfAborted();
      throw new Overloaded('No place was free at the generator in time.');
    } finally {
      limited.end();
    }
    if (!slot) throw new Overloaded('Too many questions wait for the generator.');
    return slot;
  }

  async *#ask(packed: GenerateRequest, firstByMs: number, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    const { clock, logger, metrics } = this.#options;
    for (let attempt = 1; ; attempt++) {
      if (this.#circuit.state === 'open') {
        const reason = 'it has failed several times and is left alone for a moment';
        throw this.#unavailable({ kind: 'failed', reason, retryAfterMs: this.#circuit.openForMs });
      }
      let sent = false;
      try {
        for await (const event of this.#attempt(packed, firstByMs - clock.monotonicMs(), signal)) {
          sent = true;
          yield event;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ChatFailure)) throw error;
        const { fault } = error;
        const delayMs = this.#delayMs(fault, attempt);
        if (sent || delayMs === undefined || clock.monotonicMs() + delayMs >= firstByMs) throw this.#unavailable(fault);
        metrics?.retries.inc({ operation: 'generate', code: 'FRESHET_GENERATOR_UNAVAILABLE' });
        logger[delayMs >= 1_000 ? 'warn' : 'debug']('Will ask the generator again after a delay.', {
          generator: this.model,
          reason: fault.reason,
          delayMs: Math.round(delayMs),
        });
        await clock.sleep(delayMs, signal);
      }
    }
  }

  /** One request to the server. @throws ChatFailure */
  async *#attempt(packed: GenerateRequest, firstMs: number, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    const { endpoint, maxTokens, temperature, stallMs, unsupported, clock, metrics } = this.#options;
    const request: ChatRequest = { messages: this.#prompt.messages(packed), maxTokens, temperature };
    const meter = new UsageMeter(request, this.#options);
    const reader = new AnswerReader(packed, unsupported, maxTokens);
    if (packed.trace) packed.trace.statements = [];
    const startedMs = clock.monotonicMs();
    let outcome: Outcome = 'aborted';
    let sent = false;
    this.#circuit.onSend();
    try {
      for await (const delta of watchedStream(endpoint, request, { firstMs, stallMs }, clock, signal)) {
        this.#circuit.onAlive();
        meter.take(delta);
        for (const event of reader.take(delta)) {
          if (!sent)
            metrics?.generateFirstToken.observe({ generator: this.model }, (clock.monotonicMs() - startedMs) / 1_000);
          sent = true;
          yield event;
        }
        if (reader.isFull) break;
      }
      const { events, refused, reason } = reader.end();
      outcome = refused ? 'no-answer' : 'answered';
      yield* events;
      const { model, prompt } = this;
      yield { kind: 'done', refused, ...(reason !== undefined && { reason }), usage: meter.usage(), model, prompt };
    } catch (error) {
      if (error instanceof ChatFailure && !signal.aborted) {
        outcome = sent ? 'broken' : error.fault.kind;
        this.#onFault(error.fault);
      }
      throw error;
    } finally {
      if (outcome === 'aborted') this.#circuit.onAbandoned();
      metrics?.generateRequests.inc({ generator: this.model, outcome });
      meter.record(metrics);
    }
  }

  #onFault(fault: RequestFailure): void {
    if (fault.kind === 'overloaded' || fault.kind === 'refused') this.#circuit.onAlive();
    else if (this.#circuit.onFailure())
      this.#options.logger.warn('The generator fails again and again and is left alone for a time.', {
        generator: this.model,
        reason: fault.reason,
      });
    if (fault.kind === 'forbidden')
      this.#options.logger.error('The generator refuses every request: check its address, key and model.', {
        generator: this.model,
        reason: fault.reason,
      });
  }

  /** When to ask again, ms from now; undefined: not at all. */
  #delayMs(fault: RequestFailure, attempt: number): number | undefined {
    if (attempt >= ATTEMPTS || fault.kind === 'refused' || fault.kind === 'forbidden') return undefined;
    const own = retryDelayMs(attempt, {
      minDelayMs: MIN_RETRY_MS,
      maxDelayMs: MAX_RETRY_MS,
      random: this.#options.random,
    });
    return Math.max(own, 'retryAfterMs' in fault ? (fault.retryAfterMs ?? 0) : 0);
  }

  #unavailable(fault: RequestFailure): GeneratorUnavailable {
    const hint =
      fault.kind === 'forbidden'
        ? ': check its address, key and model'
        : fault.kind === 'refused'
          ? ': check that contextTokens and maxTokens fit its model'
          : '';
    const message = `The ${this.#options.endpoint.name} generator failed, ${fault.reason}${hint}.`;
    const afterMs = 'retryAfterMs' in fault ? fault.retryAfterMs : undefined;
    return new GeneratorUnavailable(message, afterMs ? { retryAfterSeconds: Math.ceil(afterMs / 1_000) } : {});
  }
}
