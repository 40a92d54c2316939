import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, mkdir, readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { addressOf } from './client.ts';
import { packageRoot } from './package-root.ts';
import type { VerbContext } from './verb.ts';

/** What a probe found. A fault has to be mended before a start, a warning need not; both say how. Holds no secrets. */
export type Finding =
  | { readonly name: string; readonly status: 'ok'; readonly message: string }
  | { readonly name: string; readonly status: 'warning' | 'fault'; readonly message: string; readonly mend: string };

/** Whether state can be written where the config says. Creates nothing that is not needed: the nearest existing folder is tried. */
export async function probeDataDir(dataDir: string): Promise<Finding> {
  const name = 'data folder';
  let folder = dataDir;
  for (;;) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return { name, status: 'ok', message: folder === dataDir ? dataDir : `${dataDir} (will be created)` };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOENT' || folder === dirname(folder))
        return {
          name,
          status: 'fault',
          message: `${folder} cannot be written (${code ?? 'unknown reason'})`,
          mend: 'give this user the right to write there, or set dataDir (or FRESHET_DATA_DIR) to another folder',
        };
      folder = dirname(folder);
    }
  }
}

/** Creates the data folder. @throws the error of the file system. */
export async function makeDataDir(dataDir: string): Promise<void> {
  // Documents lie in it: nobody else of the machine needs to read them.
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
}

/** Whether the server's port can be had; one that a running Freshet holds is as it should be. */
export async function probePort(
  config: ResolvedConfig,
  context: Pick<VerbContext, 'fetch' | 'signal' | 'clock'>,
): Promise<Finding> {
  const name = 'port';
  const { host, port } = config.server;
  const code = await listenError(host, port);
  if (code === undefined)
    return { name, status: 'ok', message: port === 0 ? 'any free one' : `${host}:${port} is free` };
  if (code === 'EADDRINUSE' && (await isFreshet(`${addressOf(config)}/livez`, context)))
    return { name, status: 'ok', message: `${host}:${port} is held by a running Freshet` };
  const problem =
    code === 'EADDRINUSE'
      ? `${host}:${port} is taken by another program`
      : `cannot listen on ${host}:${port} (${code})`;
  return {
    name,
    status: 'fault',
    message: problem,
    mend: 'stop what listens there, or set server.host and server.port',
  };
}

/** Why nothing can listen there; undefined when something can. */
export async function listenError(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    return await new Promise<string | undefined>((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown reason'));
      server.listen({ host, port, exclusive: true }, () => resolve(undefined));
    });
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** A Freshet says that it is alive at once; another program may say nothing at all, ms. */
const ALIVE_WITHIN_MS = 2_000;

async function isFreshet(
  url: string,
  { fetch, signal, clock }: Pick<VerbContext, 'fetch' | 'signal' | 'clock'>,
): Promise<boolean> {
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  // A timer that keeps the process alive: node's fetch may stay unsettled when a server cuts the connection, and the process would end.
  const asked = fetch(url, { signal: either }).then(
    ({ ok }) => ok,
    () => false, // whatever listens there does not speak HTTP
  );
  try {
    return await Promise.race([asked, clock.sleep(ALIVE_WITHIN_MS, either).then(() => false)]);
  } finally {
    enough.abort();
  }
}

/** Whether the files of every shipped model are there and whole, by their SHA-256. */
export async function probeModel(folder: URL = new URL('models/', packageRoot())): Promise<Finding> {
  const name = 'embedding model';
  const mend = 'install the package again (`npm ci`): the model is part of it';
  let models: readonly string[];
  try {
    models = (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    models = [];
  }
  if (models.length === 0) return { name, status: 'fault', message: 'its files are missing', mend };
  for (const model of models) {
    const broken = await firstBrokenFile(new URL(`${model}/`, folder));
    if (broken) return { name, status: 'fault', message: `models/${model}/${broken} is missing or damaged`, mend };
  }
  return { name, status: 'ok', message: `${models.join(', ')}, checksums match` };
}

async function firstBrokenFile(folder: URL): Promise<string | undefined> {
  const sums = await readFile(new URL('SHA256SUMS', folder), 'utf8').catch(() => undefined);
  if (sums === undefined) return 'SHA256SUMS';
  for (const line of sums.split('\n')) {
    const [, expected, file] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (!expected || !file) continue;
    if ((await sha256(fileURLToPath(new URL(file, folder)))) !== expected) return file;
  }
  return undefined;
}

async function sha256(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}
