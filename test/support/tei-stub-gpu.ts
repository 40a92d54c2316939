/** What the simulated device costs: `callMs + texts x textUs + tokens x tokenUs` per batch, on each of `streams` at a time. */
export interface GpuOptions {
  readonly streams: number;
  readonly callMs: number;
  readonly textUs: number;
  readonly tokenUs: number;
}

/**
 * A device that works on a few batches at once and queues the rest, first come first served. Its time is reckoned, not slept through: a
 * batch ends when it would on the device, however late the timers are, so that its throughput is exact while work waits.
 */
export class SimulatedGpu {
  readonly #options: GpuOptions;
  readonly #freeAtMs: number[];
  /** Sum of the time that streams have worked, ms. */
  busyMs = 0;

  constructor(options: GpuOptions) {
    this.#options = options;
    this.#freeAtMs = Array.from({ length: options.streams }, () => 0);
  }

  /** Resolves when the batch is done. */
  run(texts: number, tokens: number): Promise<void> {
    const { callMs, textUs, tokenUs } = this.#options;
    const costMs = callMs + (texts * textUs + tokens * tokenUs) / 1000;
    if (costMs === 0) return Promise.resolve();
    const now = performance.now();
    let stream = 0;
    for (let i = 1; i < this.#freeAtMs.length; i++) {
      if ((this.#freeAtMs[i] ?? 0) < (this.#freeAtMs[stream] ?? 0)) stream = i;
    }
    const endMs = Math.max(now, this.#freeAtMs[stream] ?? 0) + costMs;
    this.#freeAtMs[stream] = endMs;
    this.busyMs += costMs;
    return new Promise((resolve) => setTimeout(resolve, Math.max(0, endMs - now)));
  }
}
