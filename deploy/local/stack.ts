import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverUser, sharedFolder } from '../../cli/demo/postgres-binaries.ts';
import { systemClock } from '../../runtime/clock.ts';
import { startConnect } from './connect.ts';
import { startElasticsearch } from './elasticsearch.ts';
import type { Engine } from './engine.ts';
import { startKafka } from './kafka.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import { builtRdkafka } from './rdkafka.ts';
import { startRedis } from './redis.ts';
import { root } from './root.ts';
import { isRunning, stopProcesses, type RunningProcess } from './running-process.ts';

export interface StackOptions {
  /** Nodes of Elasticsearch. */
  readonly nodes: number;
  /** Brokers of Kafka. */
  readonly brokers: number;
  /** Told as each engine takes work, with the time since the begin. */
  readonly onUp: (name: EngineName, ms: number) => void;
}

/** One engine of a running stack. */
export interface StackEngine {
  readonly url: string;
  readonly processes: readonly RunningProcess[];
}

/** What `.engines/engines.json` holds. */
export interface StackState {
  readonly dir: string;
  readonly nodes: number;
  readonly brokers: number;
  readonly engines: Readonly<Partial<Record<EngineName, StackEngine>>>;
}

/** The engines, in the order in which they are stopped, and the variable in which tests find each. */
export const engineVariables = {
  connect: 'CONNECT_TEST_URL',
  kafka: 'KAFKA_TEST_URL',
  elasticsearch: 'ELASTICSEARCH_TEST_URL',
  redis: 'REDIS_TEST_URL',
  postgres: 'POSTGRES_TEST_URL',
  mariadb: 'MARIADB_TEST_URL',
} as const;

export type EngineName = keyof typeof engineVariables;

/** Taken when they are free; away from the usual ones, on which a developer may have servers. */
const PORTS = {
  connect: 18_083,
  kafka: 19_092,
  elasticsearch: 19_200,
  redis: 16_379,
  postgres: 15_432,
  mariadb: 13_306,
};

const STATE_FOLDER = join(root, '.engines');
const STATE_FILE = join(STATE_FOLDER, 'engines.json');

/**
 * Starts what is not running yet of this checkout's engines, and leaves all of them running. Idempotent.
 * @throws Error when a stack of another size is running, somebody else is starting it, or an engine does not come up; the others
 *   stay up then, and the next call starts what is missing.
 */
export async function startStack(options: StackOptions, signal?: AbortSignal): Promise<StackState> {
  const { nodes, brokers } = options;
  await mkdir(STATE_FOLDER, { recursive: true });
  const unlock = await lock(join(STATE_FOLDER, 'starting.pid'));
  try {
    const known = await readStack();
    if (known && (known.nodes !== nodes || known.brokers !== brokers))
      throw new Error(`A stack of ${known.nodes} nodes and ${known.brokers} brokers is running: stop it first.`);
    const build = new StackStart(options, await dataFolder(), known);
    const starts = await Promise.allSettled([
      build.bring('redis', 1, (place) => startRedis(place, signal)),
      build.bring('postgres', 1, (place) => startPostgres(place, signal)),
      build.bring('mariadb', 1, (place) => startMariadb(place, signal)),
      build
        .bring('kafka', brokers, (place) => startKafka({ ...place, nodes: brokers }, signal))
        .then((url) => build.bring('connect', 1, (place) => startConnect({ ...place, brokers: url }, signal))),
      build.bring('elasticsearch', nodes, (place) => startElasticsearch({ ...place, nodes }, signal)),
    ]);
    const faults = starts.flatMap((each) => (each.status === 'rejected' ? [(each.reason as Error).message] : []));
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return await build.record();
  } finally {
    await unlock();
  }
}

interface Place {
  readonly dir: string;
  readonly port: number;
  readonly keep: true;
}

/** The engines of one start, written down one by one, so that what runs is known even when another one fails. */
class StackStart {
  readonly #options: StackOptions;
  readonly #dir: string;
  readonly #known: StackState | undefined;
  readonly #engines: Partial<Record<EngineName, StackEngine>>;
  readonly #began = systemClock.monotonicMs();

  constructor(options: StackOptions, dir: string, known: StackState | undefined) {
    this.#options = options;
    this.#dir = dir;
    this.#known = known;
    this.#engines = { ...known?.engines };
  }

  /** Starts an engine, unless every process of it runs; returns its address. Engines of different sizes have different data. */
  async bring(name: EngineName, nodes: number, start: (place: Place) => Promise<Engine>): Promise<string> {
    const running = this.#known?.engines[name];
    if (running && running.processes.every((each) => isRunning(each))) return running.url;
    await stopProcesses(running?.processes ?? []);
    const dir = join(this.#dir, nodes === 1 ? name : `${name}-${nodes}`);
    const engine = await start({ dir, port: PORTS[name], keep: true });
    const processes = engine.nodes.map((node) => ({ name: node.name, pid: node.pid, logFile: node.logFile, dir }));
    this.#engines[name] = { url: engine.url, processes };
    await this.record();
    this.#options.onUp(name, systemClock.monotonicMs() - this.#began);
    return engine.url;
  }

  async record(): Promise<StackState> {
    const { nodes, brokers } = this.#options;
    const state = { dir: this.#dir, nodes, brokers, engines: this.#engines };
    // The addresses hold passwords.
    await writeFile(STATE_FILE, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
    return state;
  }
}

/** Keeps a second start away. The lock of a process that has ended counts for nothing. */
async function lock(file: string): Promise<() => Promise<void>> {
  const holder = Number(await readFile(file, 'utf8').catch(() => ''));
  if (holder && holder !== process.pid && isRunning({ pid: holder, dir: 'engines' }))
    throw new Error(`Process ${holder} is starting the engines already.`);
  await writeFile(file, String(process.pid));
  return () => rm(file, { force: true });
}

/** Stops this checkout's engines; with `wipe` their data go too. Nothing running is fine. */
export async function stopStack(wipe: boolean): Promise<void> {
  const state = await readStack();
  // Connect leaves its group and writes its last offsets while Kafka is still there.
  for (const name of Object.keys(engineVariables) as EngineName[])
    await stopProcesses(state?.engines[name]?.processes ?? []);
  await rm(STATE_FILE, { force: true });
  if (wipe) await rm(await dataFolder(), { recursive: true, force: true });
}

/** The stack as it was started last and not stopped since; processes of it may have ended meanwhile. */
export async function readStack(): Promise<StackState | undefined> {
  const text = await readFile(STATE_FILE, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as StackState);
}

/** The variables in which tests find the engines of a stack, and the native Kafka client once it is compiled. */
export function stackEnvironment(state: StackState): Readonly<Record<string, string>> {
  const entries = Object.entries(state.engines).map(([name, { url }]) => [engineVariables[name as EngineName], url]);
  const rdkafka = builtRdkafka();
  return Object.fromEntries(rdkafka === undefined ? entries : [...entries, ['FRESHET_RDKAFKA_PATH', rdkafka]]);
}

/** Outside the checkout, which the users that the servers run as may not be able to enter; one per checkout. */
async function dataFolder(): Promise<string> {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 12);
  const dir = join(sharedFolder(await serverUser()), `freshet-engines-${name}`);
  await mkdir(dir, { recursive: true, mode: 0o755 });
  return dir;
}
