import { configOf } from './config-file.ts';
import { makeDataDir } from './probes.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Creates what a first start would create. Repeating it changes nothing. */
export async function setup(context: VerbContext): Promise<ExitCode> {
  const config = await configOf(context);
  await makeDataDir(config.dataDir);
  const steps = [`data folder ${config.dataDir}`];
  context.output.result({ ready: steps }, () => steps.map((step) => `ready  ${step}`));
  return 0;
}
