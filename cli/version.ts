import { readFile } from 'node:fs/promises';
import { packageRoot } from './package-root.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Prints the version of the package and of the runtime. */
export async function version({ output }: VerbContext): Promise<ExitCode> {
  const manifest = JSON.parse(await readFile(new URL('package.json', packageRoot()), 'utf8')) as { version: string };
  output.result({ freshet: manifest.version, node: process.version }, (versions) => [
    `freshet ${versions.freshet} (node ${versions.node})`,
  ]);
  return 0;
}
