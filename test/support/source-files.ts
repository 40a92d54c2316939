import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A TypeScript file of the repository. */
export interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  /** The text with every comment blanked out, same length. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly isTest: boolean;
}

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** For our own files: the path from the root. For packages: undefined. */
  readonly file: string | undefined;
  /** For packages: the name without a subpath. */
  readonly package: string | undefined;
  /** Whether only types are imported, so that nothing happens at run time. */
  readonly typeOnly: boolean;
}

const folders = [
  'schemas',
  'runtime',
  'ports',
  'connectors',
  'pipeline',
  'query-api',
  'cli',
  'eval',
  'load-tests',
  'deploy',
  'test',
];

/** Every TypeScript file of the folders that are ours. */
export function readSourceFiles(): readonly SourceFile[] {
  return folders.flatMap((folder) => filesBelow(folder)).map(readSource);
}

/** Paths of the files below a folder, from the root, sorted; empty when there is none. */
export function filesBelow(folder: string, extension = '.ts'): readonly string[] {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true, recursive: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => posix.join(...entry.parentPath.slice(root.length + 1).split(/[\\/]/), entry.name))
    .toSorted();
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const isTest = /(\.(test|conformance)|-fixtures)\.ts$/.test(path) || path.startsWith('test/');
  const code = withoutComments(text);
  return { path, text, lines: text.split('\n').length - 1, code, imports: importsOf(path, code), isTest };
}

/** Blanks out comments. The code is formatted by prettier, so a comment's start stands behind white space or at a line's start. */
function withoutComments(text: string): string {
  const blank = (found: string) => found.replace(/[^\n]/g, ' ');
  return text.replace(/(?<=^|\s)\/\*[\s\S]*?\*\//g, blank).replace(/(?<=^|\s)\/\/.*$/gm, blank);
}

function importsOf(path: string, code: string): readonly Import[] {
  const found: Import[] = [];
  const statement =
    /^(?:import|export)\b(?<what>[^;'"]*?)\bfrom\s+['"](?<from>[^'"]+)['"]|^import\s+['"](?<bare>[^'"]+)['"]/gm;
  for (const { groups } of code.matchAll(statement)) {
    const specifier = groups?.['from'] ?? groups?.['bare'] ?? '';
    found.push(resolveImport(path, specifier, /^\s*type\b/.test(groups?.['what'] ?? '')));
  }
  for (const match of code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g))
    found.push(resolveImport(path, match[1] ?? '', false));
  // Workers are files of ours too, started by URL.
  for (const match of code.matchAll(/new URL\(\s*['"](\.[^'"]+\.ts)['"]/g))
    found.push(resolveImport(path, match[1] ?? '', false));
  return found;
}

function resolveImport(path: string, specifier: string, typeOnly: boolean): Import {
  const isOurs = specifier.startsWith('.');
  const file = isOurs ? posix.join(posix.dirname(path), specifier) : undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return { specifier, file, package: isOurs || specifier.startsWith('node:') ? undefined : name, typeOnly };
}

/** The layer that a file belongs to: its first folder. */
export function layerOf(path: string): string {
  return path.split('/')[0] ?? '';
}
