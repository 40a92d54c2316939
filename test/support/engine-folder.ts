import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { serverUser, sharedFolder } from '../../cli/demo/postgres-binaries.ts';

/** A folder for an engine of a test's own, which the users that servers run as can enter. Disposing removes it: dispose the engine first. */
export interface EngineFolder extends AsyncDisposable {
  readonly path: string;
}

export async function engineFolder(): Promise<EngineFolder> {
  const path = await mkdtemp(join(sharedFolder(await serverUser()), 'freshet-test-engine-'));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
