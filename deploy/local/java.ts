import { readFileSync, readdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** A Java installation with a compiler. */
export interface Jdk {
  readonly home: string;
  /** The first number of its version, e.g. 25. */
  readonly feature: number;
}

/** Elasticsearch 9 asks for 21; Kafka 4 and Debezium run on it too. */
export const OLDEST_JAVA = 21;

/** Folders in which systems keep Java installations side by side. */
const COLLECTIONS = [
  '/usr/lib/jvm',
  '/opt',
  '/opt/java',
  '/Library/Java/JavaVirtualMachines',
  join(homedir(), '.sdkman/candidates/java'),
];

/**
 * The newest JDK of this machine: `ES_JAVA_HOME`, `JAVA_HOME`, `java` on the path, the places where systems put them.
 * @throws Error when none is new enough, saying which were found.
 */
export function findJdk(): Jdk {
  const found = candidates().flatMap((home) => jdkAt(home) ?? []);
  const newest = found.toSorted((a, b) => b.feature - a.feature)[0];
  if (newest && newest.feature >= OLDEST_JAVA) return newest;
  const seen = found.map(({ home, feature }) => `${feature} in ${home}`).join(', ') || 'none';
  throw new Error(`A JDK of Java ${OLDEST_JAVA} or newer is needed (found: ${seen}).`);
}

function candidates(): string[] {
  const named = [process.env['ES_JAVA_HOME'], process.env['JAVA_HOME']].filter((home) => home !== undefined);
  const onPath = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => {
    try {
      return [dirname(dirname(realpathSync(join(folder, 'java'))))];
    } catch {
      return [];
    }
  });
  const collected = COLLECTIONS.flatMap((folder) => {
    try {
      return readdirSync(folder).flatMap((name) => [join(folder, name), join(folder, name, 'Contents', 'Home')]);
    } catch {
      return [];
    }
  });
  return [...new Set([...named, ...onPath, ...collected])];
}

/** Reads the `release` file that every JDK has; a runtime without compiler does not count. */
function jdkAt(home: string): Jdk | undefined {
  try {
    realpathSync(join(home, 'bin', 'javac'));
    const version = /^JAVA_VERSION="(?:1\.)?(\d+)/m.exec(readFileSync(join(home, 'release'), 'utf8'))?.[1];
    return version === undefined ? undefined : { home, feature: Number(version) };
  } catch {
    return undefined;
  }
}
