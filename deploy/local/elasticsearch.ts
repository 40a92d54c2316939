import { chown, cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeServerFolder, serverUser, type ServerUser } from '../../cli/demo/postgres-binaries.ts';
import { elasticsearchHome } from './elasticsearch-home.ts';
import { startNodes, type Engine } from './engine.ts';
import { freePorts, keptPort } from './free-port.ts';
import { findJdk } from './java.ts';
import { waitUntil } from './wait-until.ts';

export interface ElasticsearchOptions {
  readonly dir: string;
  /** Port of the first node's HTTP interface; taken only if it is free. */
  readonly port?: number;
  /** Nodes, each of which may be the master; 1 unless told. */
  readonly nodes?: number;
  readonly heapMb?: number;
  /** Settings of every node; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly keep?: boolean;
}

const HEAP_MB = 1_024;
const READY_TIMEOUT_MS = 240_000;

/** Starts Elasticsearch, without security. `url` names every node, separated by commas. */
export async function startElasticsearch(options: ElasticsearchOptions, signal?: AbortSignal): Promise<Engine> {
  const { dir, nodes = 1, keep = false, heapMb = HEAP_MB } = options;
  const jdk = findJdk();
  const home = await elasticsearchHome(jdk);
  const user = await serverUser();
  await makeServerFolder(dir, user);
  const http = [await keptPort(dir, options.port), ...(await freePorts(nodes - 1))];
  const transport = await freePorts(nodes);
  const commands = [];
  for (const [index, port] of http.entries()) {
    const folder = join(dir, `node-${index}`);
    await prepareFolder(folder, home, user);
    const settings = { ...nodeSettings(index, port, transport, folder), ...options.settings };
    const url = `http://127.0.0.1:${port}`;
    commands.push({
      name: `elasticsearch-${index}`,
      program: '/bin/bash',
      args: [
        join(home, 'bin', 'elasticsearch'),
        ...Object.entries(settings).map(([key, value]) => `-E${key}=${value}`),
      ],
      env: {
        ES_JAVA_HOME: jdk.home,
        ES_JAVA_OPTS: `-Xms${heapMb}m -Xmx${heapMb}m`,
        ES_PATH_CONF: join(folder, 'config'),
        ES_TMPDIR: join(folder, 'tmp'),
        HOME: folder,
      },
      user,
      logFile: join(dir, `node-${index}.log`),
      keep,
      isReady: (_log: string, probe: AbortSignal) => isHealthy(url, nodes === 1, probe),
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }
  const engine = await startNodes(http.map((port) => `http://127.0.0.1:${port}`).join(','), commands, signal);
  const first = `http://127.0.0.1:${http[0]}`;
  await waitUntil('The joining of all nodes', READY_TIMEOUT_MS, () => hasNodes(first, nodes), signal).catch(
    async (error: unknown) => {
      await engine[Symbol.asyncDispose]();
      throw error;
    },
  );
  return engine;
}

/**
 * Whether a node is in a cluster with a master; alone, also whether its shards are there again. With others it may have to wait for shards
 * of nodes that a test has killed. The test distribution has no GET /.
 */
async function isHealthy(url: string, alone: boolean, signal: AbortSignal): Promise<boolean> {
  const condition = alone ? 'wait_for_status=yellow&timeout=1s' : 'timeout=1s';
  return (await fetch(`${url}/_cluster/health?${condition}`, { signal })).ok;
}

async function hasNodes(url: string, nodes: number): Promise<boolean> {
  const health = (await (await fetch(`${url}/_cluster/health`)).json()) as { number_of_nodes: number };
  return health.number_of_nodes >= nodes;
}

async function prepareFolder(folder: string, home: string, user: ServerUser | undefined): Promise<void> {
  const config = join(folder, 'config');
  for (const each of [folder, config, join(folder, 'tmp')]) await makeServerFolder(each, user);
  for (const name of await readdir(join(home, 'config'))) {
    const file = join(config, name);
    if (existsSync(file)) continue;
    await cp(join(home, 'config', name), file, { recursive: true });
    // Two collectors cannot be chosen, and G1 wants more cores than are here.
    if (name === 'jvm.options')
      await writeFile(file, (await readFile(file, 'utf8')).replace('-XX:+UseG1GC', '-XX:+UseSerialGC'));
    if (user) await chown(file, user.uid, user.gid);
  }
}

function nodeSettings(
  index: number,
  port: number,
  transport: readonly number[],
  folder: string,
): Readonly<Record<string, string>> {
  const members =
    transport.length === 1
      ? { 'discovery.type': 'single-node' }
      : {
          'discovery.seed_hosts': transport.map((each) => `127.0.0.1:${each}`).join(','),
          'cluster.initial_master_nodes': transport.map((_, id) => `node-${id}`).join(','),
        };
  return {
    'cluster.name': 'freshet-local',
    'node.name': `node-${index}`,
    'network.host': '127.0.0.1',
    'http.port': String(port),
    'transport.port': String(transport[index]),
    'path.data': join(folder, 'data'),
    'path.logs': join(folder, 'logs'),
    'xpack.security.enabled': 'false',
    // A developer's disk is often fuller than a server's may be.
    'cluster.routing.allocation.disk.threshold_enabled': 'false',
    ...members,
  };
}
