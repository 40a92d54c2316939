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
  /** Folder with `node_modules/node-rdkafka`; absent while it is not compiled. */
  readonly rdkafkaPath?: string;
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
 * @throws Error when a stack with other numbers of nodes is running, or an engine does not come up; the others stay up.
 */
export async function startStack(options: StackOptions, signal?: AbortSignal): Promise<StackState> {
  const known = await readStack();
  if (known && (known.nodes !== options.nodes || known.brokers !== options.brokers))
    throw new Error(
      `A stack of another size is running (${known.nodes} nodes, ${known.brokers} brokers): stop it first.`,
    );
  const dir = await dataFolder();
  const began = systemClock.monotonicMs();
  const engines: Partial<Record<EngineName, StackEngine>> = {};
  const record = async (): Promise<StackState> => {
    const rdkafkaPath = builtRdkafka();
    const state = { dir, nodes: options.nodes, brokers: options.brokers, engines, ...(rdkafkaPath && { rdkafkaPath }) };
    await mkdir(STATE_FOLDER, { recursive: true });
    await writeFile(STATE_FILE, JSON.stringify(state, undefined, 2), { mode: 0o600 });
    return state;
  };
  const bring = async (name: EngineName, start: (place: Place) => Promise<Engine>): Promise<string> => {
    const running = known?.engines[name];
    if (running && running.processes.every((each) => isRunning(each))) {
      engines[name] = running;
      return running.url;
    }
    await stopProcesses(running?.processes ?? []);
    const place = { dir: join(dir, name), port: PORTS[name], keep: true as const };
    const engine = await start(place);
    engines[name] = {
      url: engine.url,
      processes: engine.nodes.map(({ name: node, pid, logFile }) => ({ name: node, pid, logFile, dir: place.dir })),
    };
    await record();
    options.onUp(name, systemClock.monotonicMs() - began);
    return engine.url;
  };
  const { nodes, brokers } = options;
  const starts = await Promise.allSettled([
    bring('redis', (place) => startRedis(place, signal)),
    bring('postgres', (place) => startPostgres(place, signal)),
    bring('mariadb', (place) => startMariadb(place, signal)),
    bring('elasticsearch', (place) => startElasticsearch({ ...place, nodes }, signal)),
    bring('kafka', (place) => startKafka({ ...place, nodes: brokers }, signal)).then((url) =>
      bring('connect', (place) => startConnect({ ...place, brokers: url }, signal)),
    ),
  ]);
  const faults = starts.flatMap((each) => (each.status === 'rejected' ? [String((each.reason as Error).message)] : []));
  const state = await record();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return state;
}

interface Place {
  readonly dir: string;
  readonly port: number;
  readonly keep: true;
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

/** The variables in which tests find the engines of a stack. */
export function stackEnvironment(state: StackState): Readonly<Record<string, string>> {
  const urls = Object.entries(state.engines).map(([name, { url }]) => [engineVariables[name as EngineName], url]);
  const variables = Object.fromEntries(urls) as Record<string, string>;
  return { ...variables, ...(state.rdkafkaPath && { FRESHET_RDKAFKA_PATH: state.rdkafkaPath }) };
}

/** Outside the checkout, which the users that the servers run as may not be able to enter; one per checkout. */
async function dataFolder(): Promise<string> {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 12);
  const dir = join(sharedFolder(await serverUser()), `freshet-engines-${name}`);
  await mkdir(dir, { recursive: true, mode: 0o755 });
  return dir;
}
