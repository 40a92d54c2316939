import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { packageRoot } from './package-root.ts';

const run = promisify(execFile);

/**
 * The commit of the checkout that this package runs from, with `+` behind it where tracked files have been changed.
 * @returns null without git, and for a package that is installed in somebody else's checkout.
 */
export async function checkoutCommit(folder: string = fileURLToPath(packageRoot())): Promise<string | null> {
  const git = async (...args: readonly string[]) =>
    (await run('git', ['--no-optional-locks', ...args], { cwd: folder })).stdout.trim();
  try {
    if ((await realpath(await git('rev-parse', '--show-toplevel'))) !== (await realpath(folder))) return null;
    const isChanged = (await git('status', '--porcelain', '--untracked-files=no')) !== '';
    return `${await git('rev-parse', 'HEAD')}${isChanged ? '+' : ''}`;
  } catch {
    return null;
  }
}
