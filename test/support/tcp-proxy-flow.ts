import type { Socket } from 'node:net';
import type { Clock, Random } from '../../runtime/clock.ts';
import { touches, type Direction, type LinkToxic } from './tcp-proxy-toxics.ts';

/** Bytes held per direction before the sender is paused: a kernel's buffers on both sides would hold about as much. */
const MAX_HELD_BYTES = 4_194_304;

/** A limited bandwidth lets bytes through this often a second. */
const PORTIONS_PER_SECOND = 20;

/** What arrived and is on its way: bytes, the sender's FIN, or its RST. */
interface Parcel {
  readonly what: Buffer | 'end' | 'reset';
  readonly arrivedAtMs: number;
  /** In [-1, 1): how much of each jitter applies. */
  readonly jitter: number;
}

/** What a flow asks the connection it belongs to. */
export interface FlowParts {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  readonly clock: Clock;
  readonly random: Random;
  /** The toxics of this connection, as they stand. */
  toxics(): readonly LinkToxic[];
  /** Aborts at the next change of the toxics, or when the connection ends. */
  change(): AbortSignal;
  /** Ends the connection on both sides. */
  close(how: 'end' | 'reset'): void;
}

/** The bytes of one direction of one connection, on their way through the toxics. Order is kept. */
export class Flow {
  readonly #parts: FlowParts;
  readonly #parcels: Parcel[] = [];
  /** Bytes that may still pass, by limit. */
  readonly #allowances = new Map<LinkToxic, number>();
  #heldBytes = 0;
  #closed = false;
  #arrived: () => void = () => undefined;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    const { from } = parts;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.#take('end'));
    from.on('error', () => this.#take('reset'));
  }

  /** Delivers until the end, or until the connection is closed. Never rejects. */
  async run(): Promise<void> {
    while (!this.#closed) {
      const parcel = this.#parcels[0];
      if (!parcel) {
        await new Promise<void>((resolve) => (this.#arrived = resolve));
        continue;
      }
      await this.#holdBack(parcel);
      if (this.#closed) return;
      this.#parcels.shift();
      if (parcel.what === 'end') this.#parts.to.end();
      else if (parcel.what === 'reset') this.#parts.close('reset');
      else await this.#deliver(parcel.what);
    }
  }

  /** Lets go of everything that waits, and reads into the void from now on. */
  close(): void {
    this.#closed = true;
    this.#parcels.length = 0;
    this.#parts.from.resume();
    this.#arrived();
  }

  #take(what: Parcel['what']): void {
    if (this.#closed) return;
    const { clock, random, from } = this.#parts;
    this.#parcels.push({ what, arrivedAtMs: clock.monotonicMs(), jitter: 2 * random() - 1 });
    if (typeof what !== 'string') this.#heldBytes += what.length;
    if (this.#heldBytes > MAX_HELD_BYTES) from.pause();
    this.#arrived();
  }

  #active<K extends LinkToxic['kind']>(kind: K): readonly Extract<LinkToxic, { kind: K }>[] {
    return this.#parts
      .toxics()
      .filter((toxic) => touches(toxic, this.#parts.direction))
      .filter((toxic): toxic is Extract<LinkToxic, { kind: K }> => toxic.kind === kind);
  }

  /** Waits out blackholes and latencies, which may come and go meanwhile. */
  async #holdBack({ arrivedAtMs, jitter }: Parcel): Promise<void> {
    while (!this.#closed) {
      const change = this.#parts.change();
      if (this.#active('timeout').length > 0) {
        await aborted(change);
        continue;
      }
      const latencyMs = this.#active('latency').reduce(
        (ms, toxic) => ms + toxic.latencyMs + jitter * (toxic.jitterMs ?? 0),
        0,
      );
      const leftMs = arrivedAtMs + latencyMs - this.#parts.clock.monotonicMs();
      if (leftMs <= 0) return;
      await this.#sleep(leftMs, change);
    }
  }

  async #deliver(bytes: Buffer): Promise<void> {
    const { from, to } = this.#parts;
    for (let rest = bytes; rest.length > 0 && !this.#closed;) {
      const slicer = this.#active('slicer')[0];
      const allowance = this.#allowance();
      const wanted = slicer ? this.#sliceBytes(slicer.sizeBytes, slicer.variationBytes ?? 0) : rest.length;
      const slice = rest.subarray(0, Math.min(wanted, allowance, this.#bandwidthBytes()));
      rest = rest.subarray(slice.length);
      await this.#payForBandwidth(slice.length);
      if (this.#closed || to.destroyed) return;
      if (slice.length > 0 && !to.write(slice)) await drained(to);
      this.#spend(slice.length);
      this.#heldBytes -= slice.length;
      if (slice.length >= allowance) this.#parts.close('end');
      else if (slicer?.delayMs && rest.length > 0) await this.#sleep(slicer.delayMs, this.#parts.change());
    }
    if (this.#heldBytes <= MAX_HELD_BYTES && from.isPaused()) from.resume();
  }

  #sliceBytes(sizeBytes: number, variationBytes: number): number {
    return Math.max(1, Math.round(sizeBytes + variationBytes * (2 * this.#parts.random() - 1)));
  }

  /** What may go at once, so that bytes trickle at the given rate instead of coming in bursts. */
  #bandwidthBytes(): number {
    return Math.min(
      ...this.#active('bandwidth').map((toxic) => Math.max(1, toxic.bytesPerSecond / PORTIONS_PER_SECOND)),
      Infinity,
    );
  }

  async #payForBandwidth(bytes: number): Promise<void> {
    for (const { bytesPerSecond } of this.#active('bandwidth'))
      await this.#sleep((bytes / bytesPerSecond) * 1000, this.#parts.change());
  }

  #allowance(): number {
    return Math.min(...this.#active('limit_data').map((toxic) => this.#allowances.get(toxic) ?? toxic.bytes), Infinity);
  }

  #spend(bytes: number): void {
    for (const toxic of this.#active('limit_data'))
      this.#allowances.set(toxic, (this.#allowances.get(toxic) ?? toxic.bytes) - bytes);
  }

  async #sleep(ms: number, change: AbortSignal): Promise<void> {
    await this.#parts.clock.sleep(ms, change).catch(() => undefined); // whoever waits looks at the toxics again
  }
}

/** Resolves when the signal aborts. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      socket.off('drain', settle);
      socket.off('close', settle);
      resolve();
    };
    socket.on('drain', settle);
    socket.on('close', settle);
  });
}
