import { pipelineTopics } from '../pipeline/topics.ts';
import { openLog } from '../ports/registry.ts';
import { systemRandom } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { configOf } from './config-file.ts';
import { sourceTopicSpecs } from './compose/sources.ts';
import { makeDataDir } from './probes.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Creates what a first start would create: data folder, topics, publications. Repeating it changes nothing. */
export async function setup(context: VerbContext): Promise<ExitCode> {
  const config = await configOf(context);
  await makeDataDir(config.dataDir);
  const ready = [`data folder ${config.dataDir}`, await makeTopics(config, context)];
  for (const source of config.sources) {
    if (source.kind !== 'postgres') continue;
    const { setUpPublication } = await import('../connectors/postgres/probe.ts');
    ready.push(`source ${source.name}: ${await setUpPublication(source, context.signal)}`);
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
