import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactFolder, type ArtifactName } from './artifacts.ts';
import { startNodes, type Engine } from './engine.ts';
import { freePorts, keptPort } from './free-port.ts';
import { findJdk } from './java.ts';
import { javaArguments } from './kafka.ts';

export interface ConnectOptions {
  readonly dir: string;
  /** Kafka's bootstrap list. */
  readonly brokers: string;
  /** Port of the first worker's REST API; taken only if it is free. */
  readonly port?: number;
  /** Workers of the group; 1 unless told. */
  readonly nodes?: number;
  /** The group's name and the prefix of its topics; two groups on one Kafka need two. */
  readonly group?: string;
  /** Worker settings; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly keep?: boolean;
}

const CONNECTORS: readonly ArtifactName[] = [
  'debezium-postgres',
  'debezium-mariadb',
  'debezium-mysql',
  'debezium-mongodb',
];
const HEAP_MB = 384;
const READY_TIMEOUT_MS = 180_000;

/** Starts Kafka Connect, distributed, with Debezium's connectors. `url` is the REST address of its first worker. */
export async function startConnect(options: ConnectOptions, signal?: AbortSignal): Promise<Engine> {
  const { dir, nodes = 1, keep = false } = options;
  const java = join(findJdk().home, 'bin', 'java');
  const jars = join(await artifactFolder('connect'), '*');
  await mkdir(dir, { recursive: true });
  const plugins = await pluginFolder(dir);
  const ports = [await keptPort(dir, options.port), ...(await freePorts(nodes - 1))];
  const commands = [];
  for (const [index, port] of ports.entries()) {
    const url = `http://127.0.0.1:${port}`;
    const file = join(dir, `worker-${index}.properties`);
    const settings = { ...workerSettings(options, port, plugins), ...options.settings };
    await writeFile(
      file,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    commands.push({
      name: `connect-${index}`,
      program: java,
      args: [...javaArguments(HEAP_MB, jars), 'org.apache.kafka.connect.cli.ConnectDistributed', file],
      logFile: join(dir, `worker-${index}.log`),
      keep,
      // Answers only once the worker is a member of its group and has read the stored connectors.
      isReady: async (_log: string, probe: AbortSignal) => (await fetch(`${url}/connectors`, { signal: probe })).ok,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }
  return startNodes(`http://127.0.0.1:${ports[0]}`, commands, signal);
}

/** One folder per connector, so that each has the libraries of its own release. Made anew, because versions change. */
async function pluginFolder(dir: string): Promise<string> {
  const plugins = join(dir, 'plugins');
  await rm(plugins, { recursive: true, force: true });
  await mkdir(plugins);
  for (const name of CONNECTORS) await symlink(await artifactFolder(name), join(plugins, name));
  return plugins;
}

function workerSettings(options: ConnectOptions, port: number, plugins: string): Readonly<Record<string, string>> {
  const group = options.group ?? 'connect';
  const copies = String(Math.min(3, options.brokers.split(',').length));
  return {
    'bootstrap.servers': options.brokers,
    'group.id': group,
    'config.storage.topic': `${group}-configs`,
    'offset.storage.topic': `${group}-offsets`,
    'status.storage.topic': `${group}-status`,
    'config.storage.replication.factor': copies,
    'offset.storage.replication.factor': copies,
    'status.storage.replication.factor': copies,
    'offset.storage.partitions': '5',
    'status.storage.partitions': '5',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'false',
    // Bounds how late a committed position is known.
    'offset.flush.interval.ms': '200',
    'exactly.once.source.support': 'disabled',
    'connector.client.config.override.policy': 'All',
    'producer.max.request.size': '16777216',
    'task.shutdown.graceful.timeout.ms': '3000',
    'scheduled.rebalance.max.delay.ms': '0',
    listeners: `http://127.0.0.1:${port}`,
    'rest.advertised.host.name': '127.0.0.1',
    'rest.advertised.port': String(port),
    'plugin.path': plugins,
    'plugin.discovery': 'service_load',
  };
}
