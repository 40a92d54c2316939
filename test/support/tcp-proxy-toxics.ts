/** Which bytes a toxic touches: `upstream` flows from the client to the target, `downstream` from the target to the client. */
export type Direction = 'upstream' | 'downstream';

interface StreamToxic {
  /** Default `downstream`, as in toxiproxy. */
  readonly direction?: Direction | 'both';
  /** Share of connections that the toxic touches, 0 to 1; drawn once per connection. Default 1. */
  readonly toxicity?: number;
}

/** Every byte arrives `latencyMs` later, give or take `jitterMs` (uniform, drawn per read); order is kept, throughput too. */
export interface Latency extends StreamToxic {
  readonly kind: 'latency';
  readonly latencyMs: number;
  readonly jitterMs?: number;
}

/** At most this many bytes per second, per connection. */
export interface Bandwidth extends StreamToxic {
  readonly kind: 'bandwidth';
  readonly bytesPerSecond: number;
}

/** Bytes arrive in slices of `sizeBytes`, give or take `variationBytes`, with `delayMs` between them. */
export interface Slicer extends StreamToxic {
  readonly kind: 'slicer';
  readonly sizeBytes: number;
  readonly variationBytes?: number;
  readonly delayMs?: number;
}

/**
 * A blackhole: nothing gets through, neither bytes nor the end of the connection. What is held arrives when the toxic goes, as TCP
 * would send it again. With `timeoutMs` the connection is closed that long after the toxic has touched it.
 */
export interface Timeout extends StreamToxic {
  readonly kind: 'timeout';
  readonly timeoutMs?: number;
}

/** Both ends get a RST, `afterMs` (default 0) after the connection was made, or after the toxic was added to an open one. */
export interface ResetPeer {
  readonly kind: 'reset_peer';
  readonly afterMs?: number;
  readonly toxicity?: number;
}

/** The connection is closed when this many bytes have passed since the toxic has touched it. */
export interface LimitData extends StreamToxic {
  readonly kind: 'limit_data';
  readonly bytes: number;
}

/** The target is not there: connections are refused, open ones are closed. */
export interface Down {
  readonly kind: 'down';
}

/**
 * A peer went without a word, as behind a NAT that forgot, or after a power cut. Open connections are dead for good: with `upstream`
 * (default) the client keeps a connection that nobody reads, with `downstream` the target does, with `both` each of them. New
 * connections work.
 */
export interface HalfOpen {
  readonly kind: 'half_open';
  readonly direction?: Direction | 'both';
}

/** What can be wrong with a connection, in toxiproxy's words. */
export type Toxic = Latency | Bandwidth | Slicer | Timeout | ResetPeer | LimitData | Down | HalfOpen;

/** The toxics that act on open connections, in the order of their adding. */
export type LinkToxic = Exclude<Toxic, Down | HalfOpen>;

/** Whether the toxic acts on bytes of this direction. */
export function touches(toxic: LinkToxic, direction: Direction): boolean {
  if (toxic.kind === 'reset_peer') return false; // it acts on the connection, not on bytes
  return toxic.direction === 'both' || (toxic.direction ?? 'downstream') === direction;
}
