import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './artifacts.ts';
import { root } from './root.ts';

/** Its lock file holds the checksum of the package, which brings librdkafka's sources along. */
const MANIFEST = join(root, 'deploy', 'local', 'rdkafka');
const COMPILE_TIMEOUT_MS = 900_000;

/** The folder whose `node_modules` holds a compiled node-rdkafka; undefined while `buildRdkafka` has not run for this Node. */
export function builtRdkafka(): string | undefined {
  const folder = folderOf();
  return existsSync(folder) ? folder : undefined;
}

/**
 * Compiles node-rdkafka into the cache unless it is there: 2.5 minutes on two cores.
 * @throws Error with the compiler's last lines.
 */
export async function buildRdkafka(): Promise<string> {
  const folder = folderOf();
  if (existsSync(folder)) return folder;
  await mkdir(cacheFolder(), { recursive: true });
  const draft = await mkdtemp(`${folder}-draft-`);
  try {
    cpSync(MANIFEST, draft, { recursive: true });
    const args = ['ci', '--no-audit', '--no-fund', '--foreground-scripts'];
    const { status, error, stdout, stderr } = spawnSync('npm', args, {
      cwd: draft,
      encoding: 'utf8',
      timeout: COMPILE_TIMEOUT_MS,
      maxBuffer: 1 << 28,
    });
    if (status !== 0 || error)
      throw new Error(`node-rdkafka does not compile: ${error?.message ?? `${stdout}${stderr}`.slice(-2_000)}`);
    const loads = spawnSync(process.execPath, ['-e', "require('node-rdkafka')"], { cwd: draft, encoding: 'utf8' });
    if (loads.status !== 0) throw new Error(`node-rdkafka does not load: ${loads.stderr.slice(-2_000)}`);
    await rename(draft, folder).catch((cause: unknown) => {
      if (!existsSync(folder)) throw cause;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}

/** Native code belongs to a version of Node's binary interface and to a platform. */
function folderOf(): string {
  const { dependencies } = JSON.parse(readFileSync(join(MANIFEST, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const lock = createHash('sha256')
    .update(readFileSync(join(MANIFEST, 'package-lock.json')))
    .digest('hex')
    .slice(0, 8);
  const target = `node${process.versions.modules}-${process.platform}-${process.arch}`;
  return join(cacheFolder(), `node-rdkafka-${dependencies['node-rdkafka']}-${target}-${lock}`);
}
