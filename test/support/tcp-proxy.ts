import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock, Random } from '../../runtime/clock.ts';
import { Flow } from './tcp-proxy-flow.ts';
import type { Direction, HalfOpen, LinkToxic, Toxic } from './tcp-proxy-toxics.ts';

export interface TcpProxyOptions {
  /** `host:port` of the server behind. It need not be up. */
  readonly target: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Port to listen on, for servers that tell clients their own address (Kafka's advertised listeners). Default: a free one. */
  readonly port?: number;
}

/** A toxic that is in force until it is disposed of: `await using slow = await proxy.add(...)`. */
export interface AddedToxic extends AsyncDisposable {
  readonly toxic: Toxic;
}

/** A way to a server that can be made as bad as networks are, while it is used. Listens on 127.0.0.1. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Connections of which at least one end is open. */
  readonly connections: number;
  /** Connections accepted since the start: tells whether a client has connected again. */
  readonly accepted: number;
  /** Open and later connections are touched from when this resolves. */
  add(toxic: Toxic): Promise<AddedToxic>;
  /** Removes every toxic; what was held back is delivered. */
  clear(): Promise<void>;
}

/** Starts a fault proxy in front of `target`, with no toxic. */
export async function startTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = new FaultProxy(options);
  await proxy.listen();
  return proxy;
}

class FaultProxy implements TcpProxy {
  readonly #options: TcpProxyOptions;
  readonly #toxics = new Set<Toxic>();
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  #port: number;
  #accepted = 0;

  constructor(options: TcpProxyOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get connections(): number {
    return this.#links.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  async listen(): Promise<void> {
    // Half-closing is the peers' business: a FIN travels like any other byte.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  async add(toxic: Toxic): Promise<AddedToxic> {
    const added = { ...toxic }; // the same words added twice are two toxics
    this.#toxics.add(added);
    if (added.kind === 'half_open') for (const link of this.#links) link.lose(added);
    if (added.kind === 'down') await this.#stop();
    this.#changed();
    return {
      toxic: added,
      [Symbol.asyncDispose]: async () => {
        if (!this.#toxics.delete(added)) return;
        this.#changed();
        await this.#listenAgain();
      },
    };
  }

  async clear(): Promise<void> {
    this.#toxics.clear();
    this.#changed();
    await this.#listenAgain();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  #accept(client: Socket): void {
    this.#accepted++;
    const link = new Link(client, this.#options, () => this.#links.delete(link));
    this.#links.add(link);
    link.touch(this.#linkToxics());
  }

  #changed(): void {
    for (const link of this.#links) link.touch(this.#linkToxics());
  }

  #linkToxics(): readonly LinkToxic[] {
    return [...this.#toxics].filter((toxic): toxic is LinkToxic => toxic.kind !== 'down' && toxic.kind !== 'half_open');
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = server && new Promise<void>((resolve) => server.close(() => resolve()));
    for (const link of this.#links) link.close('reset');
    await closed;
  }

  async #listenAgain(): Promise<void> {
    if (!this.#server && ![...this.#toxics].some((toxic) => toxic.kind === 'down')) await this.listen();
  }
}

/** One connection: a socket to the client, one to the target, and a flow each way. */
class Link {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #flows: readonly Flow[];
  readonly #ended: () => void;
  /** Toxics that were drawn to touch this connection, or not. */
  readonly #drawn = new Map<LinkToxic, boolean>();
  #toxics: readonly LinkToxic[] = [];
  #change = new AbortController();
  /** Nothing flows any more: closed, or half-open for good. */
  #over = false;

  constructor(client: Socket, { target, clock, random }: TcpProxyOptions, ended: () => void) {
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
    this.#ended = ended;
    const colon = target.lastIndexOf(':');
    this.#target = connect({
      host: target.slice(0, colon),
      port: Number(target.slice(colon + 1)),
      allowHalfOpen: true,
    });
    this.#target.setNoDelay(true);
    this.#flows = [this.#flow('upstream', client, this.#target), this.#flow('downstream', this.#target, client)];
    for (const socket of [client, this.#target])
      socket.on('close', () => {
        if (client.destroyed && this.#target.destroyed) this.#finish();
      });
    for (const flow of this.#flows) void flow.run();
  }

  /** Puts these toxics in force. */
  touch(toxics: readonly LinkToxic[]): void {
    if (this.#over) return;
    const fresh = toxics.filter((toxic) => !this.#drawn.has(toxic));
    for (const toxic of fresh) this.#drawn.set(toxic, this.#random() < (toxic.toxicity ?? 1));
    this.#toxics = toxics.filter((toxic) => this.#drawn.get(toxic));
    const former = this.#change;
    this.#change = new AbortController();
    former.abort();
    for (const toxic of fresh.filter((each) => this.#drawn.get(each))) {
      if (toxic.kind === 'reset_peer') void this.#closeLater(toxic, toxic.afterMs ?? 0, 'reset');
      if (toxic.kind === 'timeout' && toxic.timeoutMs !== undefined)
        void this.#closeLater(toxic, toxic.timeoutMs, 'end');
    }
  }

  /** Goes half-open: one peer is gone and the other is not told, now or later. */
  lose({ direction = 'upstream' }: HalfOpen): void {
    this.#silence();
    if (direction !== 'both') (direction === 'upstream' ? this.#target : this.#client).resetAndDestroy();
  }

  close(how: 'end' | 'reset'): void {
    this.#silence();
    for (const socket of [this.#client, this.#target]) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroySoon();
    }
  }

  #flow(direction: Direction, from: Socket, to: Socket): Flow {
    return new Flow({
      direction,
      from,
      to,
      clock: this.#clock,
      random: this.#random,
      toxics: () => this.#toxics,
      change: () => this.#change.signal,
      close: (how) => this.close(how),
    });
  }

  async #closeLater(toxic: LinkToxic, ms: number, how: 'end' | 'reset'): Promise<void> {
    const dueMs = this.#clock.monotonicMs() + ms;
    for (;;) {
      const leftMs = dueMs - this.#clock.monotonicMs();
      if (this.#over || !this.#toxics.includes(toxic)) return;
      if (leftMs <= 0) return this.close(how);
      await this.#clock.sleep(leftMs, this.#change.signal).catch(() => undefined); // looks at the toxics again
    }
  }

  #silence(): void {
    this.#over = true;
    for (const flow of this.#flows) flow.close();
    this.#change.abort();
  }

  #finish(): void {
    this.#silence();
    this.#ended();
  }
}
