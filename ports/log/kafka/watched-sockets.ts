import { connect, isIP } from 'node:net';
import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../../../runtime/clock.ts';

/** How often an open connection is looked at, ms. */
const LOOK_EVERY_MS = 1_000;
const KEEP_ALIVE_MS = 60_000;

/** The type says that it is always there; without TLS it is not. */
function isTls(ssl: ISocketFactoryArgs['ssl'] | undefined): boolean {
  return Boolean(ssl);
}

/** Makes a socket as kafkajs does by itself. */
const plainSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket = isTls(ssl)
    ? connectTls({ host, port, ...name, ...ssl }, onConnect)
    : connect({ host, port }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS);
};

/**
 * Sockets that are closed when a request was written and nothing has come back for `silentMs`. kafkajs gives such a request up, and sends the
 * next one through the same connection: one that was cut without a word would be used until TCP gives up, a quarter of an hour later.
 */
export function watchedSockets(
  { silentMs, clock }: { readonly silentMs: number; readonly clock: Clock },
  create: ISocketFactory = plainSocket,
): ISocketFactory {
  return (args: ISocketFactoryArgs) => {
    const socket = create(args);
    const closed = new AbortController();
    let askedMs: number | undefined;
    const write = socket.write.bind(socket) as (...values: unknown[]) => boolean;
    socket.write = (...values: unknown[]): boolean => {
      askedMs ??= clock.monotonicMs();
      return write(...values);
    };
    socket.on('data', () => (askedMs = undefined));
    socket.once('close', () => closed.abort());
    const watch = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, closed.signal);
        if (askedMs !== undefined && clock.monotonicMs() - askedMs > silentMs)
          socket.destroy(new Error(`no reply for ${silentMs} ms`));
      }
    };
    watch().catch(() => undefined); // closed
    return socket;
  };
}
