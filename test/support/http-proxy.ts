import { createServer, request as send, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ProxiedReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * What becomes of a request: it may be passed on with `pass`, changed or not, and its reply may be changed; `undefined` closes the
 * connection without one.
 */
export type Meddle = (
  request: ProxiedRequest,
  pass: (request: ProxiedRequest) => Promise<ProxiedReply>,
) => Promise<ProxiedReply | undefined>;

/** Whole requests and replies between a client and an HTTP server, which a test meddles with. Listens on 127.0.0.1. */
export class HttpProxy implements AsyncDisposable {
  /** What is done to requests from now on; absent: nothing. */
  meddle: Meddle | undefined;
  readonly #target: URL;
  readonly #server: Server;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      void (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk as Buffer);
        const { method = 'GET', url: path = '/', headers } = incoming;
        const request = { method, path, headers, body: Buffer.concat(chunks) };
        const pass = (changed: ProxiedRequest): Promise<ProxiedReply> => this.#pass(changed);
        const reply = await (this.meddle ? this.meddle(request, pass) : pass(request));
        if (!reply) return void incoming.socket.destroy();
        outgoing.writeHead(reply.status, { ...withoutLength(reply.headers), 'content-length': reply.body.byteLength });
        outgoing.end(reply.body);
      })().catch(() => incoming.socket.destroy()); // the server is away, or the client has left
    });
  }

  static async open(target: string): Promise<HttpProxy> {
    const proxy = new HttpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #pass({ method, path, headers, body }: ProxiedRequest): Promise<ProxiedReply> {
    const { hostname, port, host } = this.#target;
    const sent = { ...withoutLength(headers), host, ...(body.byteLength > 0 && { 'content-length': body.byteLength }) };
    return new Promise((resolve, reject) => {
      const outgoing = send({ hostname, port, method, path, headers: sent }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 502, headers: incoming.headers, body: Buffer.concat(chunks) }),
        );
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

function withoutLength(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'content-length': _length, 'transfer-encoding': _encoding, connection: _connection, ...rest } = headers;
  return rest;
}
