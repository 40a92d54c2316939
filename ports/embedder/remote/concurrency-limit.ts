import type { Clock } from '../../../runtime/clock.ts';

/** Requests at once before anything is known: one round of doubling less than from two, and no load for any server. */
const INITIAL_LIMIT = 4;
/** Requests that should wait in the server, so that no stream of it idles, and how many at least are too many. */
const MIN_QUEUE = 1.5;
const MAX_QUEUE = 3;
/**
 * Latency by unloaded latency up to which the limit grows, and beyond which it shrinks. Part of a loaded latency is not the server's queue
 * but parsing on a busy machine; a limit without this tolerance was measured to leave half of four streams idle. A query waits in the
 * server for about one batch.
 */
const TOLERATED_SLOWDOWN = 1.6;
const MAX_SLOWDOWN = 2;
/** What is left of the limit when the server refuses for load. */
const BACKOFF = 0.7;
/** How long a limit that was refused is not tried again; doubles with each refusal up to the maximum. */
const MIN_HOLD_MS = 10_000;
const MAX_HOLD_MS = 300_000;
/** How often the unloaded latency is measured anew: at least this far apart, and this many latencies. */
const MIN_PROBE_INTERVAL_MS = 30_000;
const PROBE_INTERVAL_LATENCIES = 100;
/** Latencies below this are the network's and the clock's, not work. */
const MIN_LATENCY_MS = 0.1;
/** Step between the classes of batch size that have a latency of their own. */
const SIZE_STEP = 1.25;

/** A finished request, for the limit to learn from. */
export interface LatencySample {
  readonly tookMs: number;
  readonly tokens: number;
  /** Requests in flight when it was sent, itself included. */
  readonly inFlight: number;
  /** `generation` when it was sent. */
  readonly generation: number;
}

/**
 * How many requests to have in flight: as many as the server works on at once and a few more, found by TCP Vegas' estimate (Brakmo
 * and Peterson 1995, as in Netflix' concurrency-limits): of `limit` requests, `limit x (1 - unloaded latency / latency)` wait in a
 * queue. Up to that point more requests bring more vectors, beyond it only longer waits. Starts by doubling, then moves by one per
 * round of replies.
 *
 * Three additions. Latency is compared within batches of like size. A refusal (429) cuts the limit by a factor, once per round, and keeps it below
 * the refused value for a time that grows, so that refusals become rare. And the unloaded latency is measured anew from time to time with
 * a quarter of the requests, as BBR does: a server that became slower for good would else look like a queue, and a limit that grew on
 * latencies measured under load would never come down.
 */
export class ConcurrencyLimit {
  readonly #clock: Clock;
  readonly #max: number;
  #limit: number;
  #ceiling: number;
  #doubling = true;
  /** Grows with every change of the limit, so that replies to older requests are not taken for its effect. */
  #generation = 0;
  /** Latency by unloaded latency, of the replies of the round. */
  #round: number[] = [];
  #saturated = false;
  #unloadedMs = new Map<number, number>();
  #holdMs = MIN_HOLD_MS;
  #heldUntilMs = 0;
  #probe: { readonly restore: number; readonly measuredMs: Map<number, number> } | undefined;
  #nextProbeMs: number;

  constructor({ max, clock }: { readonly max: number; readonly clock: Clock }) {
    this.#clock = clock;
    this.#max = Math.max(1, max);
    this.#limit = Math.min(INITIAL_LIMIT, this.#max);
    this.#ceiling = this.#max;
    this.#nextProbeMs = clock.monotonicMs() + MIN_PROBE_INTERVAL_MS;
  }

  /** Requests that may be in flight now. */
  get current(): number {
    return this.#limit;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Learns from a reply. */
  onReply({ tookMs, tokens, inFlight, generation }: LatencySample): void {
    const size = Math.round(Math.log(Math.max(1, tokens)) / Math.log(SIZE_STEP));
    if (generation !== this.#generation) {
      this.#lower(this.#unloadedMs, size, tookMs);
      return;
    }
    if (this.#probe) {
      this.#probe.measuredMs.set(size, Math.min(tookMs, this.#probe.measuredMs.get(size) ?? Infinity));
      this.#round.push(1);
      if (this.#round.length >= this.#limit + 1) this.#endProbe();
      return;
    }
    // A size that was never seen unloaded says nothing: its queue cannot be told from its work.
    if (!this.#unloadedMs.has(size) && inFlight > Math.max(1, this.#limit / 2)) return;
    const unloadedMs = Math.min(tookMs, this.#unloadedMs.get(size) ?? Infinity);
    this.#unloadedMs.set(size, unloadedMs);
    this.#round.push(tookMs / Math.max(unloadedMs, MIN_LATENCY_MS));
    if (inFlight >= this.#limit) this.#saturated = true;
    if (this.#round.length >= this.#limit) this.#endRound(tookMs);
  }

  /** The server refused for load: fewer, at once. `generation` as in the sample. */
  onOverload(generation: number): void {
    // The other requests of the round will be refused too; the limit they were sent under is already gone.
    if (generation !== this.#generation) return;
    const refused = this.#probe?.restore ?? this.#limit;
    this.#probe = undefined;
    this.#ceiling = Math.max(1, refused - 1);
    this.#heldUntilMs = this.#clock.monotonicMs() + this.#holdMs;
    this.#holdMs = Math.min(this.#holdMs * 2, MAX_HOLD_MS);
    this.#doubling = false;
    this.#set(Math.max(1, Math.floor(refused * BACKOFF)));
  }

  #endRound(tookMs: number): void {
    // By Little's law the mean counts what waits exactly; a median or a quarter does not, where requests come and go in step.
    const slowdown = this.#round.reduce((sum, ratio) => sum + ratio, 0) / this.#round.length;
    const queued = this.#limit * (1 - 1 / Math.max(1, slowdown));
    const now = this.#clock.monotonicMs();
    if (this.#ceiling < this.#max && now >= this.#heldUntilMs) {
      this.#ceiling++;
      this.#heldUntilMs = now + this.#holdMs;
    }
    const saturated = this.#saturated;
    this.#round = [];
    this.#saturated = false;
    const enough = queued >= MIN_QUEUE && slowdown >= TOLERATED_SLOWDOWN;
    if (enough && this.#doubling) {
      // Doubling went past the mark by a factor that is known now: `limit / slowdown` is what the server works on.
      this.#doubling = false;
      const found = this.#limit / slowdown;
      this.#set(Math.min(this.#limit, Math.ceil(Math.max(found + MIN_QUEUE, found * TOLERATED_SLOWDOWN))));
    } else if (queued > MAX_QUEUE && slowdown > MAX_SLOWDOWN) this.#set(Math.max(1, this.#limit - 1));
    else if (saturated && now >= this.#nextProbeMs && this.#limit > 1) this.#startProbe(tookMs, now);
    else if (saturated && !enough) {
      const grown = Math.min(this.#doubling ? this.#limit * 2 : this.#limit + 1, this.#ceiling);
      if (grown !== this.#limit) this.#set(grown);
    }
  }

  #startProbe(tookMs: number, now: number): void {
    this.#nextProbeMs = now + Math.max(MIN_PROBE_INTERVAL_MS, PROBE_INTERVAL_LATENCIES * tookMs);
    this.#probe = { restore: this.#limit, measuredMs: new Map() };
    this.#set(Math.max(1, Math.floor(this.#limit / 4)));
  }

  #endProbe(): void {
    const probe = this.#probe;
    if (!probe) return;
    this.#probe = undefined;
    // The first replies still waited behind the requests from before the probe; a minimum over the round leaves them out.
    for (const [size, ms] of probe.measuredMs) this.#unloadedMs.set(size, ms);
    this.#set(probe.restore);
  }

  #lower(latencies: Map<number, number>, size: number, tookMs: number): void {
    const known = latencies.get(size);
    if (known !== undefined && tookMs < known) latencies.set(size, tookMs);
  }

  #set(limit: number): void {
    this.#limit = limit;
    this.#generation++;
    this.#round = [];
    this.#saturated = false;
  }
}
