// Builds deploy/check/main.go and runs it. Modules and build results stay in Go's own caches, outside of the tree.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Runs a program to its end and returns what it said: `status` is undefined when there is no such program.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
export function run(program, args, options = {}) {
  const ended = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
  if (ended.error?.code === 'ENOENT') return { status: undefined, stdout: '', stderr: `${program} is not installed` };
  return { status: ended.status ?? 1, stdout: ended.stdout ?? '', stderr: ended.stderr ?? ended.error?.message ?? '' };
}

/** The built checks; call it with the arguments that main.go names. Call `remove` when done. */
export function buildChecks() {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-deploy-check-'));
  const binary = join(folder, 'check');
  // -mod=readonly: go.sum names the hash of everything that is fetched.
  const built = run('go', ['build', '-mod=readonly', '-o', binary, '.'], { cwd: join(root, 'deploy', 'check') });
  if (built.status !== 0) {
    rmSync(folder, { recursive: true });
    throw new Error(`The deployment checks need Go 1.24 or newer.\n${built.stderr}`);
  }
  return {
    /** @param {readonly string[]} args */
    check: (...args) => run(binary, args, { cwd: root }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
