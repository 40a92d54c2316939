import { createServer } from 'node:net';

/** A port of the loopback interface on which nobody listens: the preferred one when it is free, else one the system chooses. */
export async function freePort(preferred = 0): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0)) ?? Promise.reject(new Error('The system gave no port.'));
}

/** Several different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  const listens = await new Promise<boolean>((done) =>
    server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true)),
  );
  if (!listens) return undefined;
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' ? address?.port : undefined;
}
