import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findJdk } from './java.ts';

/** Programs that come from the operating system, and the Debian package that brings each. */
const PACKAGES = {
  mvn: 'maven',
  'redis-server': 'redis-server',
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  unzip: 'unzip',
} as const satisfies Readonly<Record<string, string>>;

export type Program = keyof typeof PACKAGES;

/** Debian keeps servers where only root's path looks. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin', '/opt/homebrew/sbin'];

/** The path of a program. @throws Error that says which package brings it. */
export function requireProgram(name: Program): string {
  const path = findProgram(name);
  if (path !== undefined) return path;
  throw new Error(
    `${name} is not installed: it is in the package ${PACKAGES[name]} (as root on Debian: npm run engines -- --install).`,
  );
}

/** What is missing on this machine, as sentences; empty when the engines can start. */
export function missingRequirements(): string[] {
  const programs = missingPackages().map((each) => `The package ${each} is missing.`);
  try {
    findJdk();
    return programs;
  } catch (error) {
    return [...programs, (error as Error).message];
  }
}

/**
 * Installs the missing Debian packages, without starting their services.
 * @throws Error when this is not root on a Debian, or the installation fails.
 */
export function installPackages(): void {
  const missing = missingPackages();
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`Only root can install: apt-get install ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (...args: string[]) => {
    const run = spawnSync('apt-get', ['-qq', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env,
      encoding: 'utf8',
    });
    if (run.status !== 0) throw new Error(`apt-get ${args[0]} failed: ${run.error?.message ?? run.stderr}`);
  };
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...missing);
}

function missingPackages(): string[] {
  const missing = (Object.keys(PACKAGES) as Program[]).filter((name) => findProgram(name) === undefined);
  return [...new Set(missing.map((name) => PACKAGES[name]))];
}

function findProgram(name: Program): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SERVER_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
