import { randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux). A client that tries to reach a killed server on such a
 * port may be given it as its own, is then connected to itself, and keeps the server from coming back.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const ATTEMPTS = 100;

/** A port of the loopback interface on which nobody listens: the preferred one when it is free. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
  throw new Error(`There is no free port from ${LOWEST} to ${HIGHEST}.`);
}

/** The same as the last time for the engine in `dir`, as long as it is free, so that clients find a restarted engine again. */
export async function keptPort(dir: string, preferred?: number): Promise<number> {
  const file = join(dir, 'port');
  const known = Number(await readFile(file, 'utf8').catch(() => ''));
  const port = await freePort(known || preferred);
  if (port !== known) await writeFile(file, String(port));
  return port;
}

/** Several different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listens = await new Promise<boolean>((done) =>
    server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true)),
  );
  if (listens) await new Promise((done) => server.close(done));
  return listens;
}
