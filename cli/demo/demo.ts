import type { ExitCode, VerbContext } from '../verb.ts';

/** Starts everything on a database of its own. */
export async function demo(_context: VerbContext): Promise<ExitCode> {
  throw new Error('the demo is not put together yet');
}
