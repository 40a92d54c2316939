import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { probeDataDir, probeModel, probePort } from './probes.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-probes-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the data folder', () => {
  test('is fine when it is there, and when it can be created', async () => {
    expect(await probeDataDir(folder)).toMatchObject({ status: 'ok', message: folder });
    expect(await probeDataDir(join(folder, 'a', 'b'))).toMatchObject({
      status: 'ok',
      message: `${folder}/a/b (will be created)`,
    });
  });

  test('is a fault when a file stands in its way', async () => {
    await writeFile(join(folder, 'file'), '');
    expect(await probeDataDir(join(folder, 'file', 'b'))).toMatchObject({
      status: 'fault',
      mend: expect.stringContaining('dataDir'),
    });
  });
});

describe('the port', () => {
  const world = { fetch: globalThis.fetch, signal: new AbortController().signal, clock: systemClock };
  const withPort = (port: number) =>
    parseConfig(
      `server: { port: ${port} }\nsources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }]`,
      {},
      'f.yaml',
    );

  test.each([
    [200, 'ok', 'held by a running Freshet'],
    [404, 'fault', 'taken by another program'],
  ])('that answers /livez with %i is fine: %s', async (status, expected, words) => {
    const server = createServer((_request, response) => response.writeHead(status).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const finding = await probePort(withPort(port), world);
    server.close();
    server.closeAllConnections();
    expect(finding.status).toBe(expected);
    expect(JSON.stringify(finding)).toContain(words);
  });

  test.each([
    ['says nothing', (socket: Socket) => void socket],
    ['cuts every connection', (socket: Socket) => void socket.destroy()],
  ])('that a program has which %s is a fault, and is waited for no longer than a moment', async (_what, treat) => {
    const server = createTcpServer(treat);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const finding = await probePort(withPort(port), {
      ...world,
      clock: { ...systemClock, sleep: async () => undefined },
    });
    server.close();
    expect(finding).toMatchObject({ status: 'fault', message: `127.0.0.1:${port} is taken by another program` });
  });

  test('that is free is fine', async () => {
    expect(await probePort(withPort(0), world)).toMatchObject({ status: 'ok' });
  });
});

describe('the model', () => {
  const models = () => pathToFileURL(`${folder}/`);

  test('is whole when every checksum matches', async () => {
    await mkdir(join(folder, 'm'));
    await writeFile(join(folder, 'm', 'model.onnx'), 'weights');
    const sum = createHash('sha256').update('weights').digest('hex');
    await writeFile(join(folder, 'm', 'SHA256SUMS'), `${sum}  model.onnx\n`);
    expect(await probeModel(models())).toEqual({
      name: 'embedding model',
      status: 'ok',
      message: 'm, checksums match',
    });
  });

  test('is a fault when a file is damaged, missing, or there is none at all', async () => {
    expect(await probeModel(models())).toMatchObject({ status: 'fault', message: 'its files are missing' });
    await mkdir(join(folder, 'm'));
    await writeFile(join(folder, 'm', 'SHA256SUMS'), `${'0'.repeat(64)}  model.onnx\n`);
    expect(await probeModel(models())).toMatchObject({
      status: 'fault',
      message: 'models/m/model.onnx is missing or damaged',
    });
    await writeFile(join(folder, 'm', 'model.onnx'), 'other weights');
    expect(await probeModel(models())).toMatchObject({
      status: 'fault',
      message: 'models/m/model.onnx is missing or damaged',
    });
  });
});
