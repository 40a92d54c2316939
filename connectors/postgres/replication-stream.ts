import type { Clock } from '../../runtime/clock.ts';
import { SourceUnavailable } from '../../runtime/errors.ts';
import type { FreshetError } from '../../runtime/errors.ts';
import { formatLsn, type Lsn } from '../../schemas/lsn.ts';
import { classifyPgError, quoteIdent, quoteLiteral, type PgSession } from './pg-connection.ts';
import { decodePgOutput, postgresTimeMs, type PgOutputMessage } from './pgoutput.ts';

/** What the server sends, in order. */
export type ReplicationEvent =
  | { readonly kind: 'message'; readonly lsn: Lsn; readonly message: PgOutputMessage; readonly bytes: number }
  | {
      readonly kind: 'keepalive';
      /** Every transaction that ended up to here has been sent before this event. */
      readonly walEnd: Lsn;
      /** The server's clock when it sent this, ms since the epoch. */
      readonly sentAt: number;
      readonly replyRequested: boolean;
    };

export interface ReplicationOptions {
  readonly slot: string;
  readonly publication: string;
  /** Everything up to here is durable in the log; the stream starts after it. */
  readonly from: Lsn;
  readonly maxInFlightBytes: number;
  /** How often the server hears of us while nothing happens, ms. Well below its `wal_sender_timeout`. */
  readonly statusEveryMs: number;
  readonly clock: Clock;
}

const XLOG_DATA = 'w'.charCodeAt(0);
const KEEPALIVE = 'k'.charCodeAt(0);
const XLOG_DATA_HEADER_BYTES = 25;
const KEEPALIVE_BYTES = 18;
const POSTGRES_EPOCH_MS = 946_684_800_000;

/**
 * The changes of one slot. The position that the server hears is the one that was acknowledged here, never what was received: also
 * in reply to a keepalive (B01, B06). The socket is paused while more than `maxInFlightBytes` are received and not released.
 *
 * The server sends a keepalive with its position whenever it has nothing more to send and our position is behind; it repeats that as
 * soon as we reply. A reply therefore follows the acknowledgement, and otherwise only the timer: answering at once would make the
 * two ends ping each other as fast as the network allows.
 */
export class ReplicationStream implements AsyncDisposable {
  private readonly session: PgSession;
  private readonly options: ReplicationOptions;
  private events: ReplicationEvent[] = [];
  private wake: (() => void) | undefined;
  private failure: FreshetError | undefined;
  private inFlightBytes = 0;
  private paused = false;
  private durable: Lsn;
  private readonly closed = new AbortController();

  private constructor(session: PgSession, options: ReplicationOptions) {
    this.session = session;
    this.options = options;
    this.durable = options.from;
  }

  /**
   * Starts streaming on a replication session, which belongs to the stream from then on.
   * @throws SourceUnavailable when the slot is busy or the connection is lost; the error of a lost slot has SQLSTATE 55000
   */
  static async start(session: PgSession, options: ReplicationOptions, signal: AbortSignal): Promise<ReplicationStream> {
    const stream = new ReplicationStream(session, options);
    const { wire } = session;
    wire.on('copyData', (event: { readonly chunk: Buffer }) => stream.receive(event.chunk));
    session.onLost((error) => stream.fail(error));
    const command =
      `START_REPLICATION SLOT ${quoteIdent(options.slot)} LOGICAL ${formatLsn(options.from)} ` +
      `(proto_version '1', publication_names ${quoteLiteral(quoteIdent(options.publication))})`;
    const started = new Promise<void>((done) => wire.once('replicationStart', () => done()));
    const ended = session.query(command, [], stream.closed.signal).then(
      () => stream.fail(new SourceUnavailable('The server ended the replication stream.')),
      (error: unknown) => {
        if (!stream.closed.signal.aborted) stream.fail(classifyPgError(error, 'replication'));
      },
    );
    await Promise.race([started, ended, aborted(signal)]);
    if (stream.failure || signal.aborted) {
      await stream[Symbol.asyncDispose]();
      signal.throwIfAborted();
      throw stream.failure ?? new SourceUnavailable('The replication stream did not start.');
    }
    void stream.reportRegularly();
    return stream;
  }

  /**
   * Everything that has arrived since the last call; waits for something, at most `waitMs` (then: nothing).
   * @throws the reason of the stream's end, once everything received before was handed over
   */
  async next(signal: AbortSignal, waitMs?: number): Promise<readonly ReplicationEvent[]> {
    signal.throwIfAborted();
    if (this.events.length === 0 && !this.failure) await this.arrival(signal, waitMs);
    signal.throwIfAborted();
    if (this.events.length === 0 && this.failure) throw this.failure;
    const events = this.events;
    this.events = [];
    return events;
  }

  private async arrival(signal: AbortSignal, waitMs: number | undefined): Promise<void> {
    const done = new AbortController();
    const stop = (): void => done.abort();
    signal.addEventListener('abort', stop, { once: true });
    this.wake = stop;
    try {
      if (waitMs === undefined) await aborted(done.signal);
      else
        await Promise.race([
          this.options.clock.sleep(waitMs, done.signal).catch(() => undefined),
          aborted(done.signal),
        ]);
    } finally {
      this.wake = undefined;
      done.abort();
      signal.removeEventListener('abort', stop);
    }
  }

  /** Gives back the bytes of messages that are durable or done with. */
  release(bytes: number): void {
    this.inFlightBytes -= bytes;
    if (this.paused && this.inFlightBytes <= this.options.maxInFlightBytes / 2) {
      this.paused = false;
      this.session.wire.stream.resume();
    }
  }

  /** Bytes of changes received and not released. */
  get heldBytes(): number {
    return this.inFlightBytes;
  }

  /** Tells the server that everything up to `position` is durable. Going back is ignored. */
  acknowledge(position: Lsn): void {
    if (position > this.durable) this.durable = position;
    this.report();
  }

  private receive(chunk: Buffer): void {
    try {
      const event = decodeEvent(chunk);
      if (event.kind === 'message') this.hold(event.bytes);
      const last = this.events.at(-1);
      if (event.kind === 'keepalive' && last?.kind === 'keepalive') {
        // Only the newest of several keepalives in a row says anything.
        this.events[this.events.length - 1] = { ...event, replyRequested: event.replyRequested || last.replyRequested };
        return;
      }
      this.events.push(event);
      this.wake?.();
    } catch (error) {
      this.fail(classifyPgError(error, 'replication'));
    }
  }

  private hold(bytes: number): void {
    this.inFlightBytes += bytes;
    if (!this.paused && this.inFlightBytes > this.options.maxInFlightBytes) {
      this.paused = true;
      this.session.wire.stream.pause();
    }
  }

  private report(): void {
    if (!this.closed.signal.aborted)
      this.session.wire.sendCopyFromChunk(statusUpdate(this.durable, this.options.clock.now()));
  }

  private async reportRegularly(): Promise<void> {
    try {
      for (;;) {
        await this.options.clock.sleep(this.options.statusEveryMs, this.closed.signal);
        this.report();
      }
    } catch {
      // closed
    }
  }

  private fail(error: FreshetError): void {
    this.failure ??= error;
    this.wake?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed.abort();
    this.fail(new SourceUnavailable('The replication stream was closed.'));
    await this.session[Symbol.asyncDispose]();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** @throws RecordUnreadable when it is no message of the protocol; the stream cannot go on then, because it would skip a change. */
function decodeEvent(chunk: Buffer): ReplicationEvent {
  if (chunk[0] === XLOG_DATA && chunk.length >= XLOG_DATA_HEADER_BYTES) {
    const message = decodePgOutput(chunk.subarray(XLOG_DATA_HEADER_BYTES));
    return { kind: 'message', lsn: chunk.readBigUInt64BE(1) as Lsn, message, bytes: chunk.length };
  }
  if (chunk[0] === KEEPALIVE && chunk.length === KEEPALIVE_BYTES) {
    return {
      kind: 'keepalive',
      walEnd: chunk.readBigUInt64BE(1) as Lsn,
      sentAt: postgresTimeMs(chunk.readBigInt64BE(9)),
      replyRequested: chunk[17] === 1,
    };
  }
  throw new SourceUnavailable('The server sent something that is no message of the replication protocol.');
}

/** Written, flushed and applied are one position for us: what is durable in the log. */
export function statusUpdate(durable: Lsn, nowMs: number): Buffer {
  const message = Buffer.alloc(34);
  message.write('r', 0);
  for (const at of [1, 9, 17]) message.writeBigUInt64BE(durable, at);
  message.writeBigInt64BE(BigInt(Math.round((nowMs - POSTGRES_EPOCH_MS) * 1000)), 25);
  return message;
}
