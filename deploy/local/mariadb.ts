import { existsSync } from 'node:fs';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeServerFolder, serverUser, type ServerUser } from '../../cli/demo/postgres-binaries.ts';
import { startNodes, type Engine } from './engine.ts';
import { keptPort } from './free-port.ts';
import { passwordOf } from './password.ts';
import { requireProgram } from './requirements.ts';
import { run } from './run.ts';

export interface MariadbOptions {
  readonly dir: string;
  /** On 127.0.0.1; taken only if it is free. */
  readonly port?: number;
  /** Server settings, e.g. `{ 'binlog-row-image': 'MINIMAL' }`; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly keep?: boolean;
}

const READY_TIMEOUT_MS = 90_000;
const USER = 'freshet';

/** Starts MariaDB with a row-based binary log. `url` is `mysql://user:password@host:port/` of a user who may do everything. */
export async function startMariadb(options: MariadbOptions, signal?: AbortSignal): Promise<Engine> {
  const { dir, keep = false } = options;
  const program = requireProgram('mariadbd');
  const user = await serverUser();
  await makeServerFolder(dir, user);
  const password = await passwordOf(dir);
  const dataDir = join(dir, 'data');
  if (!existsSync(dataDir)) await createDatabase(dir, dataDir, user);
  const port = await keptPort(dir, options.port);
  const settings = {
    datadir: dataDir,
    socket: join(dir, 'mariadb.sock'),
    'pid-file': join(dir, 'mariadb.pid'),
    'bind-address': '127.0.0.1',
    port: String(port),
    'init-file': await initFile(dir, password, user),
    'skip-name-resolve': 'ON',
    'server-id': '1',
    'log-bin': 'binlog',
    'binlog-format': 'ROW',
    'binlog-row-image': 'FULL',
    // Names of columns and keys travel in the log, so that a reader need not know every past schema.
    'binlog-row-metadata': 'FULL',
    'character-set-server': 'utf8mb4',
    'innodb-buffer-pool-size': '64M',
    ...options.settings,
  };
  const command = {
    name: 'mariadb',
    program,
    args: ['--no-defaults', ...Object.entries(settings).map(([key, value]) => `--${key}=${value}`)],
    user,
    logFile: join(dir, 'mariadb.log'),
    keep,
    isReady: (log: string) => /ready for connections[\s\S]*port: \d/.test(log),
    readyTimeoutMs: READY_TIMEOUT_MS,
  };
  return startNodes(`mysql://${USER}:${password}@127.0.0.1:${port}/`, [command], signal);
}

/** Run by the server at every start. */
async function initFile(dir: string, password: string, user: ServerUser | undefined): Promise<string> {
  const file = join(dir, 'init.sql');
  const account = `'${USER}'@'%'`;
  const statements = [
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
  ];
  await writeFile(file, `${statements.join('\n')}\n`, { mode: 0o600 });
  if (user) await chown(file, user.uid, user.gid);
  return file;
}

/** In a draft folder that gets its name at the end, so that a crash half way leaves nothing that looks like a database. */
async function createDatabase(dir: string, dataDir: string, user: ServerUser | undefined): Promise<void> {
  const draft = join(dir, 'draft');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  if (user) await chown(draft, user.uid, user.gid);
  const args = ['--no-defaults', `--datadir=${draft}`, '--skip-test-db', '--auth-root-authentication-method=socket'];
  await run(requireProgram('mariadb-install-db'), args, { user });
  await rename(draft, dataDir);
}
