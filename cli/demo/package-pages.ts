import { readFile, readdir, stat } from 'node:fs/promises';
import { join, posix, relative, sep } from 'node:path';

/** A Markdown file that an installed npm package ships. */
export interface Page {
  readonly package: string;
  /** Inside the package, with `/`. */
  readonly path: string;
  readonly title: string;
  readonly body: string;
  /** Version of the package. */
  readonly version: string;
}

/** Longer files are change logs of many years; they would only make the first start slow. */
const MAX_PAGE_BYTES = 200_000;

/** Every Markdown file of the packages below a `node_modules` folder, packages in order of name. Nested copies are left out. */
export async function* packagePages(nodeModules: string): AsyncGenerator<Page> {
  for (const name of await packageNames(nodeModules)) {
    const folder = join(nodeModules, ...name.split('/'));
    const version = await versionOf(folder);
    if (version === undefined) continue;
    for (const file of await markdownFiles(folder)) {
      const path = relative(folder, file).split(sep).join(posix.sep);
      // PostgreSQL's text cannot hold a NUL.
      const body = (await readFile(file, 'utf8')).replaceAll('\0', '');
      if (body.trim() !== '') yield { package: name, path, title: titleOf(body) ?? `${name}: ${path}`, body, version };
    }
  }
}

/** Packages of a `node_modules` folder, `@scope/name` for scoped ones, sorted. */
export async function packageNames(nodeModules: string): Promise<readonly string[]> {
  const folders = async (folder: string) =>
    (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
  const names: string[] = [];
  for (const name of await folders(nodeModules)) {
    if (!name.startsWith('@')) names.push(name);
    else for (const scoped of await folders(join(nodeModules, name))) names.push(`${name}/${scoped}`);
  }
  return names.toSorted();
}

async function versionOf(folder: string): Promise<string | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { readonly version?: string };
    return manifest.version ?? '0.0.0';
  } catch {
    return undefined; // a folder that is no package
  }
}

async function markdownFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') found.push(...(await markdownFiles(path)));
    else if (entry.isFile() && /\.(md|markdown)$/i.test(entry.name) && (await stat(path)).size <= MAX_PAGE_BYTES)
      found.push(path);
  }
  return found.toSorted();
}

/** The first heading, without its markup; undefined when there is none. */
export function titleOf(body: string): string | undefined {
  const heading = /^#{1,3}\s+(.+?)\s*#*$/m.exec(body)?.[1];
  const plain = heading
    ?.replace(/!\[[^\]]*\]\([^)]*\)/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]*>/g, '')
    .replace(/[`*_]/g, '')
    .trim();
  return plain === '' ? undefined : plain;
}
