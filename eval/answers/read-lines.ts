import { readFile } from 'node:fs/promises';

/**
 * The values of a file of JSON lines.
 * @returns undefined when there is no such file: not every machine has every set.
 * @throws SyntaxError when a line is not JSON.
 */
export async function readLines<T>(path: string): Promise<readonly T[] | undefined> {
  let file: string;
  try {
    file = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return file
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
