import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout. This file runs from where it lies and, compiled, from a folder below it. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'deploy', 'local', 'checksums.json'))) return folder;
  if (dirname(folder) === folder) throw new Error('deploy/local/checksums.json was not found: this is no checkout.');
  return findRoot(dirname(folder));
}
