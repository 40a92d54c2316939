import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactFolder } from './artifacts.ts';
import { startNodes, type Engine } from './engine.ts';
import { freePort, freePorts } from './free-port.ts';
import { findJdk } from './java.ts';
import { run } from './run.ts';

export interface KafkaOptions {
  /** For configuration, data and logs. Used again, the brokers go on with what it holds. */
  readonly dir: string;
  /** Port of the first broker on 127.0.0.1; taken only if it is free. */
  readonly port?: number;
  /** Brokers, each a controller too; 1 unless told. With 3, topics have three copies, two of which must have a write. */
  readonly nodes?: number;
  /** A second listener of the first broker, known to its clients by another address: a proxy's. */
  readonly behind?: { readonly port: number; readonly address: string };
  /** Broker settings; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly keep?: boolean;
}

const HEAP_MB = 384;
const READY_TIMEOUT_MS = 120_000;
const PORTS_FILE = 'ports.json';
const CLUSTER_ID_FILE = 'cluster-id';

/** A JVM that starts fast and stays small: two cores hold the whole stack. */
export function javaArguments(heapMb: number, classPath: string): readonly string[] {
  return [
    `-Xms${heapMb}m`,
    `-Xmx${heapMb}m`,
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:+ExitOnOutOfMemoryError',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
    '-cp',
    classPath,
  ];
}

/** Starts Kafka without ZooKeeper (KRaft). `url` is the bootstrap list `host:port,...`. */
export async function startKafka(options: KafkaOptions, signal?: AbortSignal): Promise<Engine> {
  const { dir, nodes = 1, keep = false } = options;
  const java = join(findJdk().home, 'bin', 'java');
  const jars = join(await artifactFolder('kafka'), '*');
  await mkdir(dir, { recursive: true });
  const ports = await portsOf(dir, nodes, options.port);
  const clusterId = await clusterIdOf(dir);
  const commands = [];
  for (const index of ports.keys()) {
    const folder = join(dir, `node-${index}`);
    const file = join(dir, `node-${index}.properties`);
    const settings = { ...brokerSettings(index, ports, folder, options.behind), ...options.settings };
    await writeFile(
      file,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    if (!existsSync(join(folder, 'meta.properties'))) {
      const tool = [...javaArguments(HEAP_MB, jars), 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file];
      await run(java, tool);
    }
    commands.push({
      name: `kafka-${index}`,
      program: java,
      args: [...javaArguments(HEAP_MB, jars), 'kafka.Kafka', file],
      logFile: join(dir, `node-${index}.log`),
      keep,
      // Written once the broker is known to the controller and takes requests.
      isReady: (log: string) => log.includes('Kafka Server started'),
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }
  return startNodes(ports.map(({ broker }) => `127.0.0.1:${broker}`).join(','), commands, signal);
}

interface NodePorts {
  readonly broker: number;
  readonly controller: number;
}

/** A cluster's members know each other by port, so a folder keeps its ports for good. */
async function portsOf(dir: string, nodes: number, first: number | undefined): Promise<readonly NodePorts[]> {
  const file = join(dir, PORTS_FILE);
  if (existsSync(file)) {
    const known = JSON.parse(await readFile(file, 'utf8')) as NodePorts[];
    if (known.length === nodes) return known;
    throw new Error(`${dir} holds a Kafka of ${known.length} brokers, not of ${nodes}: remove it first.`);
  }
  const preferred = await freePort(first);
  const others = await freePorts(2 * nodes);
  const ports = Array.from({ length: nodes }, (_, index) => ({
    broker: index === 0 ? preferred : (others[2 * index] ?? 0),
    controller: others[2 * index + 1] ?? 0,
  }));
  await writeFile(file, JSON.stringify(ports));
  return ports;
}

async function clusterIdOf(dir: string): Promise<string> {
  const file = join(dir, CLUSTER_ID_FILE);
  if (!existsSync(file)) await writeFile(file, randomBytes(16).toString('base64url').replace(/^-/, 'A'));
  return readFile(file, 'utf8');
}

function brokerSettings(
  index: number,
  ports: readonly NodePorts[],
  folder: string,
  behind: KafkaOptions['behind'],
): Readonly<Record<string, string>> {
  const copies = String(Math.min(3, ports.length));
  const inSync = String(Math.min(2, ports.length));
  const own = ports[index] ?? { broker: 0, controller: 0 };
  const second = index === 0 && behind ? behind : undefined;
  return {
    'process.roles': 'broker,controller',
    'node.id': String(index),
    'controller.quorum.voters': ports.map(({ controller }, id) => `${id}@127.0.0.1:${controller}`).join(','),
    listeners: [
      `PLAINTEXT://127.0.0.1:${own.broker}`,
      `CONTROLLER://127.0.0.1:${own.controller}`,
      ...(second ? [`PROXIED://127.0.0.1:${second.port}`] : []),
    ].join(','),
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${own.broker}${second ? `,PROXIED://${second.address}` : ''}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    'log.dirs': folder,
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    // Each partition of these costs files and time to start.
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.num.partitions': '8',
    // A topic that nobody has set up is a mistake to be seen, not to be mended silently.
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // Long enough that a machine which is busy elsewhere does not fence its only broker; tests that kill one set it shorter.
    'broker.session.timeout.ms': '6000',
    'broker.heartbeat.interval.ms': '1000',
    // Tests await compaction and retention.
    'log.cleaner.backoff.ms': '500',
    'log.retention.check.interval.ms': '1000',
    'log.initial.task.delay.ms': '1000',
  };
}
