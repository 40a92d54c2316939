import { kafkaError } from './classify-error.ts';
import { placeName, type FetchRequest, type MemberListener } from './group-member.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import { PositionGone, type PartitionSource } from './partition-source.ts';
import { startOf } from './start-offsets.ts';

/** A broker answers as soon as there is anything; without, after this, ms. It is also how long a partition that waits for room may wait. */
const LONG_POLL_MS = 250;
/** The same while a partition is left out for want of room: the request that it can join must come soon. */
const SHORT_POLL_MS = 20;
const MAX_REPLY_BYTES = 10_485_760;
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;
/** After so long without a reply the reader is told, ms. */
const PATIENCE_MS = 30_000;

/** What fetching ahead needs. */
export interface FetchParts {
  readonly source: PartitionSource;
  readonly listener: MemberListener;
  readonly options: FilledKafkaLogOptions;
  readonly signal: AbortSignal;
}

/** Keeps one request open at every broker that leads a partition of which something is wanted. */
export class FetchAhead {
  readonly #parts: FetchParts;
  readonly #busy = new Set<string>();
  #failingSinceMs: number | undefined;
  #pauseMs = MIN_PAUSE_MS;
  #isLooking = false;

  constructor(parts: FetchParts) {
    this.#parts = parts;
  }

  /** Asks for what is wanted and not asked for yet. */
  pump(): void {
    const { source, listener, signal } = this.#parts;
    if (signal.aborted) return;
    const wanted = listener.wanted();
    if (wanted.length === 0) return;
    let led = 0;
    for (const [leader, requests] of source.byLeader(wanted)) {
      led += requests.length;
      if (this.#busy.has(leader)) continue;
      this.#busy.add(leader);
      void this.#fetch(leader, requests).finally(() => {
        this.#busy.delete(leader);
        this.pump();
      });
    }
    if (led < wanted.length) void this.#lookForLeaders();
  }

  async #fetch(leader: string, requests: readonly FetchRequest[]): Promise<void> {
    const { source, listener, signal } = this.#parts;
    try {
      const replies = await source.fetchFrom(leader, requests, {
        maxWaitMs: listener.hasRoomForAll() ? LONG_POLL_MS : SHORT_POLL_MS,
        maxBytes: MAX_REPLY_BYTES,
      });
      this.#failingSinceMs = undefined;
      this.#pauseMs = MIN_PAUSE_MS;
      if (signal.aborted) return;
      const byName = new Map(requests.map((request) => [placeName(request), request]));
      for (const reply of replies) {
        const request = byName.get(placeName(reply));
        if (request) listener.fetched(request, reply);
      }
    } catch (error) {
      if (signal.aborted) return;
      await this.#recover(error, requests);
    }
  }

  async #recover(error: unknown, requests: readonly FetchRequest[]): Promise<void> {
    const { source, listener, options, signal } = this.#parts;
    const { clock, logger, brokers } = options;
    try {
      if (error instanceof PositionGone) {
        const request = requests.find((one) => placeName(one) === placeName(error.place));
        const ends = request && (await source.ends([request])).get(placeName(request));
        if (request && ends) return listener.moved(startOf(request, request.offset, ends));
      }
      this.#failingSinceMs ??= clock.monotonicMs();
      const failure = kafkaError(error, 'fetch records', brokers);
      if (failure.fate === 'fatal' || clock.monotonicMs() - this.#failingSinceMs > PATIENCE_MS) {
        this.#failingSinceMs = undefined;
        return listener.failed(failure);
      }
      logger.debug('A fetch failed and is tried again.', { error: failure, delayMs: this.#pauseMs });
      await clock.sleep(this.#pauseMs, signal);
      this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
      await source.know([], true);
    } catch (cause) {
      if (!signal.aborted) logger.debug('What leads a partition cannot be learnt now.', { error: cause as Error });
    }
  }

  async #lookForLeaders(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { source, options, signal } = this.#parts;
    await options.clock.sleep(MIN_PAUSE_MS, signal).catch(() => undefined);
    if (!signal.aborted)
      await source.know([], true).catch(() => options.clock.sleep(MAX_PAUSE_MS, signal).catch(() => undefined));
    this.#isLooking = false;
    this.pump();
  }
}
