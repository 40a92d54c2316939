import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { serverUser, sharedFolder } from '../../cli/demo/postgres-binaries.ts';
import { artifactFolder, cacheFolder, versionOf } from './artifacts.ts';
import type { Jdk } from './java.ts';
import { requireProgram } from './requirements.ts';
import { root } from './root.ts';

const PLUGIN_SOURCE = join(root, 'deploy', 'local', 'EnglishAnalyzerFactory.java');
const PLUGIN_CLASS = 'freshet.analysis.EnglishAnalyzerFactory';
/** The plugin's class must load in every Java that Elasticsearch runs on. */
const PLUGIN_RELEASE = '21';

/**
 * The folder of an unpacked Elasticsearch with the `english` analyzer, which its user can read: made once per machine, and named
 * by what went into it. As root it lies in a shared folder, because Elasticsearch refuses to run as root.
 * @throws Error when it cannot be unpacked, or somebody else has put something there.
 */
export async function elasticsearchHome(jdk: Jdk): Promise<string> {
  const user = await serverUser();
  const source = await readFile(PLUGIN_SOURCE);
  const built = createHash('sha256').update(source).digest('hex').slice(0, 8);
  const name = `freshet-elasticsearch-${versionOf('elasticsearch')}-${built}`;
  const home = join(user ? sharedFolder(user) : cacheFolder(), name);
  if (await isOurs(home)) return home;
  const zips = await artifactFolder('elasticsearch');
  const draft = await mkdtemp(`${home}-draft-`);
  try {
    for (const zip of await readdir(zips)) run(requireProgram('unzip'), ['-q', join(zips, zip), '-d', draft]);
    const unpacked = join(draft, `elasticsearch-${versionOf('elasticsearch')}`);
    await addPlugin(unpacked, jdk);
    run('chmod', ['-R', 'go-w,a+rX', unpacked]);
    await chmod(unpacked, 0o755);
    await rename(unpacked, home).catch(async (error: unknown) => {
      if (!(await isOurs(home))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return home;
}

/** A shared folder is writable by everybody: what somebody else has put there is never run. */
async function isOurs(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false;
  const stat = await lstat(folder);
  if (stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0) return true;
  throw new Error(`${folder} belongs to somebody else; remove it and start again.`);
}

/** Compiles the analyzer against the distribution's own libraries, and describes it as Elasticsearch's stable plugins are described. */
async function addPlugin(home: string, jdk: Jdk): Promise<void> {
  const folder = join(home, 'plugins', 'english');
  const classes = join(home, 'plugins', 'classes');
  await mkdir(folder, { recursive: true });
  run(join(jdk.home, 'bin', 'javac'), [
    '--release',
    PLUGIN_RELEASE,
    '-cp',
    join(home, 'lib', '*'),
    '-d',
    classes,
    PLUGIN_SOURCE,
  ]);
  run(join(jdk.home, 'bin', 'jar'), ['--create', '--file', join(folder, 'english.jar'), '-C', classes, '.']);
  await rm(classes, { recursive: true });
  const descriptor = {
    name: 'english',
    description: 'The english analyzer of the full distribution',
    version: '1',
    'java.version': PLUGIN_RELEASE,
    'elasticsearch.version': versionOf('elasticsearch'),
  };
  await writeFile(
    join(folder, 'stable-plugin-descriptor.properties'),
    Object.entries(descriptor)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const named = { 'org.elasticsearch.plugin.analysis.AnalyzerFactory': { english: PLUGIN_CLASS } };
  await writeFile(join(folder, 'named_components.json'), JSON.stringify(named));
}

function run(program: string, args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? `${stdout}${stderr}`}`);
}
