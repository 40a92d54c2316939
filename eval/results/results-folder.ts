import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseResult, type EvalResult } from './result.ts';

/** A stored run and where it is. */
export interface StoredResult {
  readonly path: string;
  readonly result: EvalResult;
}

/**
 * Adds a run to a folder, which is made when it is not there. Runs are never overwritten.
 * @returns its path: `<suite>-<time>.json`, so that names sort by suite and time.
 * @throws the error of the file system; EEXIST for a second run of the suite within a millisecond.
 */
export async function storeResult(folder: string, result: EvalResult): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${result.suite}-${result.measuredAt.replaceAll(/[:.]/g, '-')}.json`);
  await writeFile(path, `${JSON.stringify(result)}\n`, { flag: 'wx' });
  return path;
}

/** Reads one run. @throws SyntaxError naming the file when it is none, or the error of the file system. */
export async function readResult(path: string): Promise<EvalResult> {
  const text = await readFile(path, 'utf8');
  try {
    return parseResult(text);
  } catch (cause) {
    throw new SyntaxError(`${path} ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Every run of a folder, oldest first; none when there is no folder. @throws as `readResult` does. */
export async function readResults(folder: string, suite?: string): Promise<readonly StoredResult[]> {
  const stored: StoredResult[] = [];
  for (const name of await namesIn(folder)) {
    if (!name.endsWith('.json')) continue;
    const path = join(folder, name);
    const result = await readResult(path);
    if (suite === undefined || result.suite === suite) stored.push({ path, result });
  }
  return stored.sort((a, b) => (a.result.measuredAt < b.result.measuredAt ? -1 : 1));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
