import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ProgramFailed, run } from './run.ts';
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

/** SHA-256 in hex by file name. */
export type Checksums = Readonly<Record<string, string>>;

const CHECKSUMS = join(root, 'deploy', 'local', 'checksums.json');
const ATTEMPTS = 4;
const ATTEMPT_TIMEOUT_MS = 900_000;

/** Where downloads and what is built from them lie: `$XDG_CACHE_HOME/freshet/engines`, by default below `~/.cache`. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'freshet', 'engines');
}

/** The version of the first coordinate. */
export function versionOf(name: ArtifactName): string {
  return artifacts[name][0].split(':')[2] ?? '';
}

const verified = new Map<ArtifactName, Promise<string>>();
let last: Promise<unknown> = Promise.resolve();

/**
 * The folder with an artifact's files, downloaded by Maven unless it is there. Every file is compared with `checksums.json` when a process
 * first asks (1 s for all of them), so that neither a changed download nor a changed cache is ever run.
 * @throws Error when Maven is missing or fails for good, or a file is not the one that is expected.
 */
export function artifactFolder(name: ArtifactName): Promise<string> {
  const known = verified.get(name);
  if (known) return known;
  // One after the other: two Mavens that fill one empty repository get in each other's way.
  const folder = last.then(() => verifiedFolder(name));
  verified.set(name, folder);
  last = folder.catch(() => verified.delete(name));
  return folder;
}

async function verifiedFolder(name: ArtifactName): Promise<string> {
  const recorded = JSON.parse(await readFile(CHECKSUMS, 'utf8')) as Readonly<Record<string, Checksums>>;
  const expected = recorded[name] ?? {};
  const folder = join(cacheFolder(), `${name}-${versionOf(name)}`);
  if (existsSync(folder)) {
    if (checksumFault(expected, await checksumsOf(folder)) === undefined) return folder;
    await rm(folder, { recursive: true });
  }
  return withDownload(name, folder, async (draft) => {
    const fault = checksumFault(expected, await checksumsOf(draft));
    if (fault) throw new Error(`The download of ${name} is refused: ${fault}. Nothing of it was kept.`);
    await rename(draft, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // somebody else was first, with the same files
    });
    return folder;
  });
}

/** What is wrong with files, given what each should be; undefined when nothing is. */
export function checksumFault(expected: Checksums, found: Checksums): string | undefined {
  const changed = Object.keys(found).filter((file) => file in expected && expected[file] !== found[file]);
  const unknown = Object.keys(found).filter((file) => !(file in expected));
  const missing = Object.keys(expected).filter((file) => !(file in found));
  const faults = [
    changed.length > 0 && `other content than expected in ${changed.join(', ')}`,
    unknown.length > 0 && `no checksum is known for ${unknown.join(', ')}`,
    missing.length > 0 && `missing: ${missing.join(', ')}`,
  ].filter((each) => each !== false);
  return faults.length > 0 ? faults.join('; ') : undefined;
}

/** Writes `checksums.json` anew from fresh downloads. For a change of versions; whoever commits it vouches for the files. */
export async function recordChecksums(): Promise<void> {
  const recorded: Record<string, Checksums> = {};
  for (const name of Object.keys(artifacts) as ArtifactName[])
    recorded[name] = await withDownload(name, join(cacheFolder(), name), checksumsOf);
  await writeFile(CHECKSUMS, `${JSON.stringify(recorded, undefined, 2)}\n`);
}

/** Downloads into a folder of its own, which is gone afterwards unless `use` has moved it. */
async function withDownload<T>(name: ArtifactName, beside: string, use: (draft: string) => Promise<T>): Promise<T> {
  await mkdir(cacheFolder(), { recursive: true });
  const draft = await mkdtemp(`${beside}-draft-`);
  try {
    const pom = join(draft, 'pom.xml');
    await writeFile(pom, pomOf(name));
    await download(name, draft, pom);
    await rm(pom);
    return await use(draft);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function pomOf(name: ArtifactName): string {
  const dependencies = artifacts[name].map((coordinate) => {
    const [group, id, version, type = 'jar'] = coordinate.split(':');
    // A zip's own POM names projects that are not published; nothing of them is needed.
    const alone = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
    const tail = `<version>${version}</version><type>${type}</type>${type === 'jar' ? '' : alone}`;
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId>${tail}</dependency>`;
  });
  const own = `<groupId>freshet.engines</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>`;
  return `<project><modelVersion>4.0.0</modelVersion>${own}<dependencies>${dependencies.join('')}</dependencies></project>\n`;
}

/** Networks fail. Maven keeps what it has, so that another attempt goes on where the last one ended. */
async function download(name: ArtifactName, folder: string, pom: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  for (let attempt = 1; ; attempt++) {
    try {
      // Updating, because Maven remembers for a day what it once did not find.
      const flags = ['--batch-mode', '--quiet', '--update-snapshots', '--file', pom];
      return await run('mvn', [...flags, ...goal], { cwd: folder, timeoutMs: ATTEMPT_TIMEOUT_MS });
    } catch (error) {
      if (error instanceof ProgramFailed && error.isMissing)
        throw new Error('Maven (mvn) is not installed.', { cause: error });
      if (attempt >= ATTEMPTS)
        throw new Error(`${name} could not be downloaded: ${(error as Error).message}`, { cause: error });
    }
  }
}

async function checksumsOf(folder: string): Promise<Checksums> {
  const sums: Record<string, string> = {};
  for (const file of (await readdir(folder)).toSorted()) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(folder, file)), hash);
    sums[file] = hash.digest('hex');
  }
  return sums;
}
