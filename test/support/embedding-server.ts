import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A stub's HTTP side: reads whole bodies, answers through `route`, and closes with its connections. */
export interface EmbeddingServer extends AsyncDisposable {
  readonly url: string;
}

/** A request with its body. */
export interface StubRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Starts on a loopback port. */
export async function startEmbeddingServer(
  route: (request: StubRequest, response: ServerResponse) => Promise<void>,
  port = 0,
): Promise<EmbeddingServer> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = 'GET', url = '/', headers } = request;
      route({ method, path: url, headers, body: Buffer.concat(parts).toString('utf8') }, response).catch((error) => {
        response.destroy(error as Error);
      });
    });
    // Clients that give up are part of the tests.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  sendText(response, status, JSON.stringify(body), headers);
}

/** Answers with JSON that is made already. */
export function sendText(response: ServerResponse, status: number, json: string, headers: object = {}): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
    ...headers,
  });
  response.end(json);
}

/** Little-endian 32-bit floats as base64, as all services write them. */
export function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

/** Numbers as JSON; what is not finite becomes `null`, as serde writes it. */
export function jsonNumbers(vector: Float32Array): string {
  return JSON.stringify(Array.from(vector));
}
