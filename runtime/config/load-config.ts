import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Check } from 'typebox/value';
import { InvalidConfig, type ConfigFault } from '../errors.ts';
import { checkConfig } from './check-config.ts';
import type { ConfigNode, Place } from './config-node.ts';
import { parseNodes } from './config-node.ts';
import { Config, type ClusterEngines, type ConfigFile, type ResolvedConfig } from './config.ts';
import { crossCheck } from './cross-checks.ts';
import type { PartialConfig } from './cross-fault.ts';
import type { Environment } from './environment-references.ts';
import { configShape } from './shape.ts';

/**
 * Reads and checks a config file.
 * @throws InvalidConfig with every fault, also when there is no file.
 */
export async function loadConfig(path: string, env: Environment): Promise<ResolvedConfig> {
  const file = resolve(path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isMissing
      ? 'there is no such file; name another one with --config, or write one (docs/CONFIG.md shows how)'
      : `it cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'})`;
    throw new InvalidConfig(`${path}: ${reason}`, { cause });
  }
  return parseConfig(text, env, path);
}

/**
 * Checks the text of a config file, resolves `${NAME}` and fills in defaults. `file` is shown in the message, and its folder is what
 * a relative `dataDir` is relative to. `FRESHET_DATA_DIR` of the environment overrides `dataDir`.
 * @throws InvalidConfig with every fault at once, each with key path, line, column and expected form.
 */
export function parseConfig(text: string, env: Environment, file: string): ResolvedConfig {
  const { root, faults: syntaxFaults } = parseNodes(text, env);
  if (!root) {
    const empty = { path: '', line: 1, column: 1, problem: 'the file is empty; expected at least `sources`' };
    throw invalid(file, syntaxFaults.length > 0 ? syntaxFaults : [empty]);
  }
  const { value, faults: formFaults } = checkConfig(configShape, root);
  const crossFaults = crossCheck((value ?? {}) as PartialConfig).map(({ path, problem }) => ({
    path,
    ...placeOf(root, path),
    problem,
  }));
  const faults = inFileOrder([...syntaxFaults, ...formFaults, ...crossFaults]);
  if (faults.length > 0) throw invalid(file, faults);
  // The checker and the table cannot disagree unnoticed: what it lets through must also pass the schema itself.
  if (!Check(Config, value)) throw new InvalidConfig(`${file}: the config does not fit its schema`);
  return resolved(value, env, file);
}

function resolved(config: ConfigFile, env: Environment, file: string): ResolvedConfig {
  const override = env['FRESHET_DATA_DIR'];
  const filled = config as ResolvedConfig & ConfigFile;
  const hasCredentials = config.auth?.jwt !== undefined || (config.auth?.apiKeys?.length ?? 0) > 0;
  const mode = hasCredentials ? 'required' : 'none';
  const { kafka, elasticsearch, redis, ...rest } = filled as ResolvedConfig & ConfigFile & Partial<ClusterEngines>;
  // crossCheck has seen to it that all three are there.
  const nativePath = env['FRESHET_RDKAFKA_PATH'];
  const cluster =
    kafka && elasticsearch && redis
      ? { kafka: { ...kafka, ...(nativePath && { nativePath }) }, elasticsearch, redis }
      : undefined;
  return {
    ...rest,
    ...(cluster && { cluster, log: { ...rest.log, partitions: cluster.kafka.partitions } }),
    auth: { ...filled.auth, mode },
    dataDir: override ? resolve(override) : resolve(dirname(file), filled.dataDir),
  };
}

/** Where a path stands, or where its nearest existing parent does. */
function placeOf(root: ConfigNode, path: string): Place {
  let node = root;
  for (const step of path.matchAll(/([^.[\]]+)/g)) {
    const key = step[1] ?? '';
    const next: ConfigNode | undefined =
      node.kind === 'map' ? node.entries.get(key)?.node : node.kind === 'list' ? node.items[Number(key)] : undefined;
    if (!next) break;
    node = next;
  }
  return node.place;
}

function inFileOrder(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  return faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}

function invalid(file: string, faults: readonly ConfigFault[]): InvalidConfig {
  return new InvalidConfig(formatFaults(file, faults), { faults });
}

/** The faults as an operator reads them: one line each, led by the place in the way that editors and terminals link. */
export function formatFaults(file: string, faults: readonly ConfigFault[]): string {
  const lines = faults.map(({ path, line, column, problem }) => {
    const place = line === undefined ? file : `${file}:${line}:${column}`;
    return `  ${place}  ${path === '' ? '' : `${path}: `}${problem}`;
  });
  return [`${file} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:`, ...lines].join('\n');
}
