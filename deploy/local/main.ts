import { parseArgs } from 'node:util';
import { recordChecksums } from './artifacts.ts';
import { buildRdkafka } from './rdkafka.ts';
import { installPackages, missingRequirements } from './requirements.ts';
import { isRunning } from './running-process.ts';
import { readStack, stackEnvironment, startStack, stopStack, type StackState } from './stack.ts';

const USAGE = `npm run engines -- [verb] [options]

start      (the default) starts Kafka, Kafka Connect with Debezium, Elasticsearch, Redis, PostgreSQL and MariaDB,
           and returns when all of them take work
  --nodes 3      nodes of Elasticsearch (1 unless told)
  --brokers 3    brokers of Kafka (1 unless told)
  --install      first installs missing Debian packages; root only
stop       stops them; their data stay
  --wipe         removes their data too
status     says which of them run; exit code 1 when one does not
rdkafka    compiles node-rdkafka, the optional native client of Kafka, into the cache: minutes
checksums  writes deploy/local/checksums.json anew, after a change of versions
`;

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function start(nodes: number, brokers: number, install: boolean): Promise<number> {
  if (install) installPackages();
  const missing = missingRequirements();
  if (missing.length > 0) {
    say(`${missing.join('\n')}\nInstall what is missing; on Debian, as root: npm run engines -- --install`);
    return 1;
  }
  const state = await startStack({
    nodes,
    brokers,
    onUp: (name, ms) => say(`${name} is up (${(ms / 1_000).toFixed(1)} s)`),
  });
  print(state);
  return 0;
}

async function status(): Promise<number> {
  const state = await readStack();
  if (!state) {
    say('The engines are stopped.');
    return 1;
  }
  let down = 0;
  for (const process of Object.values(state.engines).flatMap((engine) => engine.processes)) {
    const runs = isRunning(process);
    if (!runs) down++;
    say(`${process.name}: ${runs ? `runs as process ${process.pid}` : 'has ended'}; its log is ${process.logFile}`);
  }
  print(state);
  return down > 0 ? 1 : 0;
}

/** As lines that a shell can read back with `set -a; . <file>`. */
function print(state: StackState): void {
  for (const [name, value] of Object.entries(stackEnvironment(state))) say(`export ${name}='${value}'`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: 'string', default: '1' },
      brokers: { type: 'string', default: '1' },
      install: { type: 'boolean', default: false },
      wipe: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const verb = values.help ? 'help' : (positionals[0] ?? 'start');
  switch (verb) {
    case 'start':
      return start(sizeOf('nodes', values.nodes), sizeOf('brokers', values.brokers), values.install);
    case 'stop':
      await stopStack(values.wipe);
      say('The engines are stopped.');
      return 0;
    case 'status':
      return status();
    case 'rdkafka':
      say(`export FRESHET_RDKAFKA_PATH='${await buildRdkafka()}'`);
      return 0;
    case 'checksums':
      await recordChecksums();
      return 0;
    default:
      say(USAGE);
      return verb === 'help' ? 0 : 2;
  }
}

function sizeOf(option: string, text: string): number {
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1 && size <= 5) return size;
  throw new Error(`--${option} takes a number from 1 to 5, not ${text}.`);
}

try {
  process.exitCode = await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
