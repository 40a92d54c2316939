import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { FakeClock } from './fake-clock.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** One end of a connection that remembers what it got. */
interface End {
  readonly socket: Socket;
  text(): string;
  readonly ended: boolean;
  readonly error: string | undefined;
  readonly reads: number;
  readonly bytesRead: number;
}

function watch(socket: Socket): End {
  const end = { socket, parts: [] as Buffer[], ended: false, error: undefined as string | undefined };
  socket.on('data', (bytes: Buffer) => end.parts.push(bytes));
  socket.on('end', () => (end.ended = true));
  socket.on('error', (error: NodeJS.ErrnoException) => (end.error = error.code));
  return {
    socket,
    text: () => Buffer.concat(end.parts).toString(),
    get ended() {
      return end.ended;
    },
    get error() {
      return end.error;
    },
    get reads() {
      return end.parts.length;
    },
    get bytesRead() {
      return socket.bytesRead;
    },
  };
}

describe('tcp proxy', () => {
  const clock = new FakeClock();
  const stack: AsyncDisposable[] = [];
  let servers: End[] = [];
  let target = '';
  beforeEach(async () => {
    servers = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => servers.push(watch(socket))).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    stack.push({
      [Symbol.asyncDispose]: async () => {
        for (const { socket } of servers) socket.destroy();
        server.close();
      },
    });
  });
  afterEach(async () => {
    for (const each of stack.splice(0).toReversed()) await each[Symbol.asyncDispose]();
  });

  async function aProxy(options: { readonly random?: () => number; readonly clock?: typeof systemClock } = {}) {
    const proxy = await startTcpProxy({ target, clock: options.clock ?? clock, random: options.random ?? (() => 0.5) });
    stack.push(proxy);
    return proxy;
  }

  /** A connection through the proxy, both its ends. */
  async function aConnection(proxy: TcpProxy): Promise<{ client: End; server: End }> {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    const client = watch(socket);
    stack.push({ [Symbol.asyncDispose]: async () => void socket.destroy() });
    const known = servers.length;
    await vi.waitUntil(() => servers.length > known);
    return { client, server: servers[known]! };
  }

  const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 5_000, interval: 2 });
  /** A connection came and went: whatever was not held back has arrived by now. */
  async function settle(proxy: TcpProxy): Promise<void> {
    const other = await aConnection(proxy);
    other.server.socket.end();
    other.client.socket.end();
  }

  it('passes bytes and ends of connections both ways', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    client.socket.end('question');
    await until(() => server.text() === 'question' && server.ended);
    expect(client.ended).toBe(false);
    server.socket.end('answer');
    await until(() => client.text() === 'answer' && client.ended);
    await until(() => proxy.connections === 0);
  });

  it('passes more than it holds, in order', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    const bytes = Buffer.alloc(12_000_000, 'abcdefghij');
    client.socket.write(bytes);
    await until(() => server.bytesRead >= bytes.length);
    expect(server.text() === bytes.toString()).toBe(true);
  });

  it('latency delays one direction by its time, and its removal delivers at once', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    await using late = await proxy.add({ kind: 'latency', latencyMs: 300 });
    client.socket.write('up');
    await until(() => server.text() === 'up');
    server.socket.write('one');
    await until(() => clock.sleeping === 1);
    await clock.advance(299);
    expect(client.text()).toBe('');
    await clock.advance(1);
    await until(() => client.text() === 'one');
    server.socket.write('two');
    await until(() => clock.sleeping === 1);
    await late[Symbol.asyncDispose]();
    await until(() => client.text() === 'onetwo');
  });

  it('jitter moves the latency by what was drawn', async () => {
    const proxy = await aProxy({ random: () => 0.75 });
    const { client, server } = await aConnection(proxy);
    await proxy.add({ kind: 'latency', latencyMs: 300, jitterMs: 100 });
    server.socket.write('one');
    await until(() => clock.sleeping === 1);
    await clock.advance(349);
    expect(client.text()).toBe('');
    await clock.advance(1);
    await until(() => client.text() === 'one');
  });

  it('bandwidth lets so many bytes through in a second', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    await proxy.add({ kind: 'bandwidth', bytesPerSecond: 1_000 });
    server.socket.write('x'.repeat(2_000));
    await until(() => clock.sleeping === 1);
    await clock.advance(1_000);
    await until(() => client.text().length >= 950);
    expect(client.text().length).toBeLessThanOrEqual(1_000);
    await proxy.clear();
    await until(() => client.text().length === 2_000);
  });

  it('slicer cuts what is sent into small reads', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    await proxy.add({ kind: 'slicer', sizeBytes: 3, delayMs: 10 });
    server.socket.write('abcdefgh');
    await until(() => client.text() === 'abc' && clock.sleeping === 1);
    await clock.advance(10);
    await until(() => client.text() === 'abcdef' && clock.sleeping === 1);
    await clock.advance(10);
    await until(() => client.text() === 'abcdefgh');
    expect(client.reads).toBe(3);
  });

  it('timeout lets nothing through, not even an end, until it goes', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    const hole = await proxy.add({ kind: 'timeout', direction: 'both' });
    client.socket.end('up');
    server.socket.write('down');
    await settle(proxy);
    expect([client.text(), server.text(), server.ended]).toEqual(['', '', false]);
    await hole[Symbol.asyncDispose]();
    await until(() => client.text() === 'down' && server.text() === 'up' && server.ended);
  });

  it('timeout closes the connection after its time', async () => {
    const proxy = await aProxy();
    const { client } = await aConnection(proxy);
    await proxy.add({ kind: 'timeout', timeoutMs: 1_000 });
    await clock.advance(999);
    expect(client.ended).toBe(false);
    await clock.advance(1);
    await until(() => client.ended);
  });

  it('reset_peer resets open connections and new ones', async () => {
    const proxy = await aProxy();
    const former = await aConnection(proxy);
    await proxy.add({ kind: 'reset_peer' });
    await until(() => former.client.error === 'ECONNRESET' && former.server.error === 'ECONNRESET');
    const later = watch(connect(proxy.port, '127.0.0.1'));
    await until(() => later.error === 'ECONNRESET');
  });

  it('toxicity touches its share of the connections', async () => {
    let drawn = 0;
    const proxy = await aProxy({ random: () => drawn });
    await proxy.add({ kind: 'reset_peer', afterMs: 10, toxicity: 0.5 });
    const touched = await aConnection(proxy);
    drawn = 0.5;
    const spared = await aConnection(proxy);
    await clock.advance(10);
    await until(() => touched.client.error === 'ECONNRESET');
    spared.client.socket.write('still here');
    await until(() => spared.server.text() === 'still here');
  });

  it('limit_data closes the connection when so many bytes have passed', async () => {
    const proxy = await aProxy();
    const { client, server } = await aConnection(proxy);
    await proxy.add({ kind: 'limit_data', bytes: 5 });
    server.socket.write('abc');
    await until(() => client.text() === 'abc');
    server.socket.write('defg');
    await until(() => client.ended);
    expect(client.text()).toBe('abcde');
  });

  it('down closes and refuses connections; afterwards the same port works again', async () => {
    const proxy = await aProxy();
    const former = await aConnection(proxy);
    const { port } = proxy;
    const down = await proxy.add({ kind: 'down' });
    await until(() => former.client.error === 'ECONNRESET');
    const refused = watch(connect(port, '127.0.0.1'));
    await until(() => refused.error === 'ECONNREFUSED');
    await down[Symbol.asyncDispose]();
    expect(proxy.port).toBe(port);
    const { client, server } = await aConnection(proxy);
    client.socket.write('again');
    await until(() => server.text() === 'again');
    expect(proxy.accepted).toBe(2);
  });

  it('half_open loses the target without telling the client, for good; new connections work', async () => {
    const proxy = await aProxy();
    const lost = await aConnection(proxy);
    const toxic = await proxy.add({ kind: 'half_open' });
    await until(() => lost.server.error === 'ECONNRESET');
    await toxic[Symbol.asyncDispose]();
    lost.client.socket.write('anyone?');
    const { client, server } = await aConnection(proxy);
    client.socket.write('hello');
    await until(() => server.text() === 'hello');
    expect([lost.client.ended, lost.client.error, lost.server.text()]).toEqual([false, undefined, '']);
  });

  it('a target that is not there resets the client', async () => {
    const proxy = await startTcpProxy({ target: '127.0.0.1:1', clock, random: () => 0.5 });
    stack.push(proxy);
    const client = watch(connect(proxy.port, '127.0.0.1'));
    await until(() => client.error === 'ECONNRESET');
    await until(() => proxy.connections === 0);
  });

  it('works by the real clock, too', async () => {
    const proxy = await aProxy({ clock: systemClock });
    const { client, server } = await aConnection(proxy);
    await proxy.add({ kind: 'latency', latencyMs: 5, jitterMs: 5, direction: 'both' });
    client.socket.end('up');
    await until(() => server.text() === 'up' && server.ended);
    server.socket.end('down');
    await until(() => client.text() === 'down' && client.ended);
  });
});
