import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { root } from './root.ts';

/** What is taken from Maven: the coordinates that are asked for; what they depend on comes along. */
export const artifacts = {
  kafka: ['org.apache.kafka:kafka_2.13:4.3.1', 'org.slf4j:slf4j-simple:1.7.36'],
  connect: [
    'org.apache.kafka:connect-runtime:4.3.1',
    'org.apache.kafka:connect-json:4.3.1',
    'org.slf4j:slf4j-simple:1.7.36',
  ],
  // Each connector is a plugin with a class loader of its own. Not every connector is published to Maven in every release.
  'debezium-postgres': ['io.debezium:debezium-connector-postgres:3.6.3.Final'],
  'debezium-mariadb': ['io.debezium:debezium-connector-mariadb:3.5.0.Final'],
  'debezium-mysql': ['io.debezium:debezium-connector-mysql:3.6.1.Final'],
  'debezium-mongodb': ['io.debezium:debezium-connector-mongodb:3.6.1.Final'],
  elasticsearch: ['org.elasticsearch.distribution.integ-test-zip:elasticsearch:9.5.3:zip'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ArtifactName = keyof typeof artifacts;

const CHECKSUMS = join(root, 'deploy', 'local', 'checksums.json');
const ATTEMPTS = 4;
const ATTEMPT_TIMEOUT_MS = 600_000;

/** Files and their SHA-256, by artifact. */
type Checksums = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Where downloads and what is built from them lie: `$XDG_CACHE_HOME/freshet/engines`, by default below `~/.cache`. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'freshet', 'engines');
}

/**
 * The folder with an artifact's files, downloaded by Maven unless it is there. Every file is compared with `checksums.json` after
 * the download; only a complete and right folder ever gets its final name.
 * @throws Error when Maven is missing or fails for good, or a file is not the one that is expected.
 */
export async function artifactFolder(name: ArtifactName): Promise<string> {
  const folder = join(cacheFolder(), `${name}-${versionOf(name)}`);
  if (existsSync(folder)) return folder;
  await mkdir(cacheFolder(), { recursive: true });
  const draft = await mkdtemp(`${folder}-draft-`);
  try {
    download(name, draft, await writePom(name, draft));
    await rm(join(draft, 'pom.xml'));
    const expected = (JSON.parse(await readFile(CHECKSUMS, 'utf8')) as Checksums)[name] ?? {};
    const fault = checksumFault(expected, await checksumsOf(draft));
    if (fault) throw new Error(`The download of ${name} is refused: ${fault}. Nothing of it was kept.`);
    await rename(draft, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else somebody else was first, with the same files
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}

/** What is wrong with files, given the SHA-256 that each should have; undefined when nothing is. */
export function checksumFault(
  expected: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): string | undefined {
  const missing = Object.keys(expected).filter((file) => !(file in found));
  const unknown = Object.keys(found).filter((file) => !(file in expected));
  const changed = Object.keys(found).filter((file) => file in expected && expected[file] !== found[file]);
  const faults = [
    changed.length > 0 && `other content than expected in ${changed.join(', ')}`,
    unknown.length > 0 && `no checksum is known for ${unknown.join(', ')}`,
    missing.length > 0 && `missing: ${missing.join(', ')}`,
  ].filter((each) => each !== false);
  return faults.length > 0 ? faults.join('; ') : undefined;
}

/** The checksums of everything, for `checksums.json`, from files that were downloaded without being checked. For a change of versions. */
export async function recordChecksums(): Promise<void> {
  const recorded: Record<string, Record<string, string>> = {};
  for (const name of Object.keys(artifacts) as ArtifactName[]) {
    await mkdir(cacheFolder(), { recursive: true });
    const draft = await mkdtemp(join(cacheFolder(), `${name}-draft-`));
    try {
      download(name, draft, await writePom(name, draft));
      await rm(join(draft, 'pom.xml'));
      recorded[name] = await checksumsOf(draft);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  await writeFile(CHECKSUMS, `${JSON.stringify(recorded, undefined, 2)}\n`);
}

/** The version of the first coordinate, which names the folder. */
export function versionOf(name: ArtifactName): string {
  return artifacts[name][0].split(':')[2] ?? '';
}

async function writePom(name: ArtifactName, folder: string): Promise<string> {
  const dependencies = artifacts[name].map((coordinate) => {
    const [group, id, version, type = 'jar'] = coordinate.split(':');
    // A zip's own POM names projects that are not published; nothing of them is needed.
    const alone =
      type === 'jar'
        ? ''
        : '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version><type>${type}</type>${alone}</dependency>`;
  });
  const file = join(folder, 'pom.xml');
  await writeFile(
    file,
    `<project><modelVersion>4.0.0</modelVersion><groupId>freshet.engines</groupId><artifactId>${name}</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>${dependencies.join('')}</dependencies></project>\n`,
  );
  return file;
}

/** Networks fail; Maven keeps what it has already, so that another attempt goes on where the last one ended. */
function download(name: ArtifactName, folder: string, pom: string): void {
  const args = ['--batch-mode', '--quiet', '--update-snapshots', '--file', pom, 'dependency:copy-dependencies'];
  for (let attempt = 1; ; attempt++) {
    const run = spawnSync('mvn', [...args, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`], {
      encoding: 'utf8',
      timeout: ATTEMPT_TIMEOUT_MS,
    });
    if (run.status === 0) return;
    if (run.error && (run.error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error('Maven (mvn) is not installed.', { cause: run.error });
    const said = `${run.stdout}${run.stderr}`.split('\n').find((line) => line.includes('ERROR'));
    if (attempt >= ATTEMPTS) throw new Error(`Maven did not download ${name}: ${said ?? `status ${run.status}`}`);
  }
}

async function checksumsOf(folder: string): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const file of (await readdir(folder)).toSorted()) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(folder, file)), hash);
    sums[file] = hash.digest('hex');
  }
  return sums;
}
