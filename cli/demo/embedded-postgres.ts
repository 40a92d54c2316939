import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';
import {
  asUser,
  isWritableBy,
  makeServerFolder,
  postgresBinaries,
  serverUser,
  sharedFolder,
  type PostgresBinaries,
  type ServerUser,
} from './postgres-binaries.ts';

export interface EmbeddedPostgresOptions {
  /** Where the database lives; created when missing. */
  readonly dataDir: string;
  /** Port on 127.0.0.1; 0 or absent takes a free one. */
  readonly port?: number;
  /** Server settings, e.g. `{ wal_level: 'logical' }`; they win over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Leaves out fsync: for tests, whose data need not outlive the machine. */
  readonly unsafeFast?: boolean;
  /** Gets what the server writes to its log. */
  readonly onLog?: (text: string) => void;
}

/** A PostgreSQL server as a child process. Disposing stops it. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** URL of the database `postgres` as its superuser. */
  readonly url: string;
  readonly port: number;
  /** Where the database really lies: another place than asked when the server's user cannot enter that. */
  readonly dataDir: string;
  readonly pid: number;
  /** Fast shutdown: open transactions are rolled back, everything committed is on disk. */
  stop(): Promise<void>;
  /** SIGKILL of the postmaster, as a power cut would do; for tests. */
  kill(): Promise<void>;
}

const DEFAULT_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_wal_senders: '20',
  max_replication_slots: '20',
};
/** synchronous_commit stays on: without it a commit reaches logical decoding up to 200 ms late, with the WAL writer's next turn. */
const UNSAFE_FAST: Readonly<Record<string, string>> = { fsync: 'off', full_page_writes: 'off' };

const PASSWORD_FILE = 'freshet.password';
const OWNER_FILE = 'freshet.owner';
const MOVED_FILE = 'moved-to';
const START_ATTEMPTS = 8;
const RETRY_DELAY_MS = 250;
const STOP_TIMEOUT_MS = 30_000;

/**
 * Starts PostgreSQL from the binaries that npm installed, on a new or an existing data folder. Works as root (then another user
 * runs the server), below folders which that user cannot enter, and after a kill -9 of the server or of this process. Listens on the
 * loopback interface only and asks for a password that is made up once per data folder.
 * @throws Error when another live process uses the data folder, or the server does not come up; the message holds its last lines.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = await serverUser();
  const binaries = await postgresBinaries(user);
  const dataDir = await placeData(resolve(options.dataDir), user);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await createCluster(dataDir, binaries, user);
  await endForerunner(dataDir);
  const password = (await readFile(join(dataDir, PASSWORD_FILE), 'utf8')).trim();
  const settings = { ...DEFAULT_SETTINGS, ...(options.unsafeFast ? UNSAFE_FAST : {}), ...options.settings };
  for (let attempt = 1; ; attempt++) {
    const port = options.port || (await freePort());
    const started = await launch({ binaries, user, dataDir, port, settings, onLog: options.onLog });
    if (started.kind === 'ready') {
      await writeFile(join(dataDir, OWNER_FILE), String(process.pid));
      return handle(started.child, port, dataDir, password);
    }
    // After a kill -9 the server's children hold the shared memory for a moment; a free port may be taken again by somebody else.
    const mayPass = /shared memory block|lock file|Address already in use|could not bind/.test(started.log);
    if (!mayPass || attempt >= START_ATTEMPTS) throw new Error(`PostgreSQL did not start: ${started.log.trim()}`);
    await systemClock.sleep(RETRY_DELAY_MS * attempt);
  }
}

/**
 * The folder for the data: the one that is wanted, or, where the server's user cannot enter it, a stable one in a shared place.
 * A file in the wanted folder says so; when that is gone, the user has deleted the database, and what was moved goes too.
 */
async function placeData(wanted: string, user: ServerUser | undefined): Promise<string> {
  await makeServerFolder(wanted, user);
  if (isWritableBy(user, wanted)) return wanted;
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  const moved = join(sharedFolder(user), `freshet-data-${name}`);
  const note = join(wanted, MOVED_FILE);
  if (!existsSync(note)) {
    if (existsSync(moved)) await endForerunner(moved);
    await rm(moved, { recursive: true, force: true });
  }
  await makeServerFolder(moved, user);
  if (!isWritableBy(user, moved)) throw new Error(`The server's user cannot write ${moved}.`);
  await writeFile(note, `${moved}\n`);
  return moved;
}

/** Runs initdb in a draft folder and renames it, so that a crash half way leaves nothing that looks like a database. */
async function createCluster(dataDir: string, binaries: PostgresBinaries, user: ServerUser | undefined): Promise<void> {
  const parent = isWritableBy(user, dirname(dataDir)) || !user ? dirname(dataDir) : sharedFolder(user);
  const draft = await mkdtemp(join(parent, `${basename(dataDir)}-draft-`));
  const passwordFile = join(draft, '..', `${basename(draft)}.password`);
  try {
    if (user) await chown(draft, user.uid, user.gid);
    const password = randomBytes(18).toString('base64url');
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    if (user) await chown(passwordFile, user.uid, user.gid);
    await run(binaries.initdb, user, [
      `--pgdata=${draft}`,
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--no-instructions',
    ]);
    await writeFile(join(draft, PASSWORD_FILE), password, { mode: 0o600 });
    await rmdir(dataDir); // refuses a folder that holds something else
    await rename(draft, dataDir);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

async function run(program: string, user: ServerUser | undefined, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { ...asUser(user), stdio: ['ignore', 'ignore', 'pipe'], env: environment() });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise((done, fail) => child.once('error', fail).once('close', done));
  if (code !== 0) throw new Error(`${basename(program)} failed: ${errors.trim()}`);
}

/** Messages in English, because they are read; nothing of PG* that would change the server. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && name !== 'LANG');
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: process.env['TZ'] ?? 'UTC' };
}

/**
 * Ends a server that an earlier, killed process has left running on this folder, and removes a lock file whose process number
 * belongs to something else by now (usual in containers, where numbers are small and come again).
 */
async function endForerunner(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid');
  const pid = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid || !isAlive(pid)) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (commandLine !== undefined && !commandLine.includes('postgres')) {
    await unlink(lock);
    return;
  }
  const owner = Number(await readFile(join(dataDir, OWNER_FILE), 'utf8').catch(() => ''));
  if (owner && owner !== process.pid && isAlive(owner))
    throw new Error(`The database in ${dataDir} is in use by process ${owner}.`);
  process.kill(pid, 'SIGINT');
  const deadline = systemClock.monotonicMs() + STOP_TIMEOUT_MS;
  while (isAlive(pid)) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`The PostgreSQL server ${pid} does not stop.`);
    await systemClock.sleep(20);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}

interface Launch {
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser | undefined;
  readonly dataDir: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly onLog: ((text: string) => void) | undefined;
}

async function launch(
  options: Launch,
): Promise<{ kind: 'ready'; child: ChildProcess } | { kind: 'failed'; log: string }> {
  const settings = Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(options.binaries.postgres, ['-D', options.dataDir, '-p', String(options.port), ...settings], {
    ...asUser(options.user),
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    // A process group of its own: Ctrl+C reaches us, and we stop the server after draining, not beside it.
    detached: true,
  });
  let log = '';
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', () => done({ kind: 'failed', log }));
    child.stderr.on('data', (chunk: Buffer) => {
      const text = chunk.toString();
      log = (log + text).slice(-4_000);
      options.onLog?.(text);
      if (log.includes('database system is ready to accept connections')) done({ kind: 'ready', child });
    });
  });
}

function handle(child: ChildProcess, port: number, dataDir: string, password: string): EmbeddedPostgres {
  const exited = new Promise<void>((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done();
    else child.once('exit', () => done());
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    process.removeListener('exit', endWithUs);
    child.kill(signal);
    await exited;
    if (signal !== 'SIGKILL') await rm(join(dataDir, OWNER_FILE), { force: true });
  };
  const endWithUs = (): void => void child.kill('SIGINT');
  process.once('exit', endWithUs);
  return {
    url: `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    dataDir,
    pid: child.pid ?? 0,
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGINT'),
  };
}
