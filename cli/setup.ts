import { pipelineTopics } from '../pipeline/topics.ts';
import { CHUNKER_VERSION } from '../pipeline/stages/chunk.ts';
import { openDocumentStore, openEmbedder, openLog } from '../ports/registry.ts';
import { systemRandom } from '../runtime/clock.ts';
import type { ResolvedConfig, SourceConfig } from '../runtime/config/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { configOf } from './config-file.ts';
import { debeziumSource, sourceTopicSpecs } from './compose/sources.ts';
import { makeDataDir } from './probes.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Creates what a first start would create: data folder, topics, publications. Repeating it changes nothing. */
export async function setup(context: VerbContext): Promise<ExitCode> {
  const config = await configOf(context);
  await makeDataDir(config.dataDir);
  const ready = [`data folder ${config.dataDir}`, await makeTopics(config, context)];
  if (config.cluster) ready.push(await makeIndex(config, context));
  for (const source of config.sources) {
    const done = await setUpSource(config, source, context.signal);
    if (done !== undefined) ready.push(`source ${source.name}: ${done}`);
  }
  context.output.result({ ready }, () => ready.map((step) => `ready  ${step}`));
  return 0;
}

async function makeTopics(config: ResolvedConfig, { clock, signal }: VerbContext): Promise<string> {
  await using log = await openLog(config, { clock, random: systemRandom, logger: createLogger(config.logLevel) });
  const { partitions, retentionMs } = config.log;
  const topics = [...sourceTopicSpecs(config), ...pipelineTopics(partitions, retentionMs)];
  await log.createTopics(topics, signal);
  return `${topics.length} topics: ${topics.map(({ name }) => name).join(', ')}`;
}

/** In the embedded profile the first start makes the index file. */
async function makeIndex(config: ResolvedConfig, { clock, signal }: VerbContext): Promise<string> {
  const parts = { clock, random: systemRandom, logger: createLogger(config.logLevel) };
  await using embedder = await openEmbedder(config, parts, signal);
  await using _store = await openDocumentStore(config, embedder.model, CHUNKER_VERSION, parts);
  return `index for ${embedder.model.name} (${embedder.model.dimensions} dimensions)`;
}

async function setUpSource(
  config: ResolvedConfig,
  source: SourceConfig,
  signal: AbortSignal,
): Promise<string | undefined> {
  switch (source.kind) {
    case 'webhook':
      return undefined;
    case 'postgres': {
      const { setUpPublication } = await import('../connectors/postgres/probe.ts');
      return setUpPublication(source, signal);
    }
    case 'debezium': {
      const connector = await import('../connectors/debezium/probe.ts');
      return connector.setUpSource(debeziumSource(source, config), signal);
    }
  }
}
