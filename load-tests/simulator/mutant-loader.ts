import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { patched } from './mutant.ts';
import { mutantNamed } from './mutants.ts';

/*
 * Loaded with `--import` in front of the simulator: plants the bug that SIMULATOR_MUTANT names into the compiled files while they are
 * loaded. The hook runs in a thread of its own, which loads this module once more.
 */

/** Folder that the compiled sources lie in, as a URL with a slash at its end. */
const root = new URL('../../', import.meta.url).href;
const mutant = mutantNamed(process.env['SIMULATOR_MUTANT'] ?? '');

interface Loaded {
  readonly format: string;
  readonly source?: string | Uint8Array;
}

/** The hook that Node.js calls for every module. @throws Error when an edit does not fit the file. */
export async function load(
  url: string,
  context: object,
  nextLoad: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  const loaded = await nextLoad(url, context);
  const edits = mutant.edits.filter(({ file }) => url === root + file.replace(/\.ts$/, '.js'));
  if (edits.length === 0 || loaded.source === undefined) return loaded;
  const text = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source).toString('utf8');
  return { ...loaded, source: edits.reduce(patched, text) };
}

if (isMainThread) register(import.meta.url);
