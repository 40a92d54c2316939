import { existsSync } from 'node:fs';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeServerFolder,
  postgresBinaries,
  serverUser,
  type PostgresBinaries,
  type ServerUser,
} from '../../cli/demo/postgres-binaries.ts';
import { startNodes, type Engine } from './engine.ts';
import { keptPort } from './free-port.ts';
import { passwordOf } from './password.ts';
import { run } from './run.ts';

export interface PostgresOptions {
  readonly dir: string;
  /** On 127.0.0.1; taken only if it is free. */
  readonly port?: number;
  /** Server settings; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly keep?: boolean;
}

const READY_TIMEOUT_MS = 60_000;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_wal_senders: '100',
  max_replication_slots: '100',
  max_connections: '300',
  // What these engines hold need not outlive the machine; a kill of the server alone loses nothing.
  fsync: 'off',
  full_page_writes: 'off',
};

/** Starts PostgreSQL 18 from the binaries that npm installed, ready for logical decoding. `url` is a superuser's. */
export async function startPostgres(options: PostgresOptions, signal?: AbortSignal): Promise<Engine> {
  const { dir, keep = false } = options;
  const user = await serverUser();
  const binaries = await postgresBinaries(user);
  await makeServerFolder(dir, user);
  const password = await passwordOf(dir);
  const cluster = join(dir, 'cluster');
  if (!existsSync(cluster)) await createCluster(dir, cluster, password, binaries, user);
  const port = await keptPort(dir, options.port);
  const settings = { ...SETTINGS, ...options.settings };
  const command = {
    name: 'postgres',
    program: binaries.postgres,
    args: [
      '-D',
      cluster,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    env: { LC_ALL: 'C', TZ: 'UTC' },
    user,
    logFile: join(dir, 'postgres.log'),
    keep,
    isReady: (log: string) => log.includes('database system is ready to accept connections'),
    readyTimeoutMs: READY_TIMEOUT_MS,
    // SIGTERM waits for every client to leave.
    stopSignal: 'SIGINT' as const,
  };
  return startNodes(`postgresql://postgres:${password}@127.0.0.1:${port}/postgres`, [command], signal);
}

/** In a draft folder that gets its name at the end, so that a crash half way leaves nothing that looks like a database. */
async function createCluster(
  dir: string,
  cluster: string,
  password: string,
  binaries: PostgresBinaries,
  user: ServerUser | undefined,
): Promise<void> {
  const draft = join(dir, 'draft');
  const passwordFile = join(dir, 'initdb.password');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user) for (const path of [draft, passwordFile]) await chown(path, user.uid, user.gid);
  await run(
    binaries.initdb,
    [
      `--pgdata=${draft}`,
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--no-instructions',
    ],
    { user, env: { LC_ALL: 'C' } },
  );
  await rm(passwordFile);
  await rename(draft, cluster);
}
