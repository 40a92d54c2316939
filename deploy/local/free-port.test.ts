import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, freePorts, keptPort } from './free-port.ts';

test('a preferred port that is taken is not given away', async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  expect(await freePort(port)).not.toBe(port);
  await new Promise((done) => server.close(done));
  expect(await freePort(port)).toBe(port);
});

test('ports stay below those that the system gives to outgoing connections', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test('an engine gets the port of its last start again', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'freshet-port-'));
  const first = await keptPort(dir);
  expect(await keptPort(dir, await freePort())).toBe(first);
  await rm(dir, { recursive: true });
});
