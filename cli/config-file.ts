import { existsSync } from 'node:fs';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { loadConfig } from '../runtime/config/load-config.ts';
import { textFlag } from './parse-flags.ts';
import type { VerbContext } from './verb.ts';

const DEFAULT_FILE = 'freshet.yaml';

/** The config that `--config` names, else freshet.yaml of the working directory. @throws InvalidConfig */
export async function configOf({ flags, env }: Pick<VerbContext, 'flags' | 'env'>): Promise<ResolvedConfig> {
  return loadConfig(textFlag(flags, 'config') ?? DEFAULT_FILE, env);
}

/** The config, or undefined when none was named and there is no freshet.yaml: for verbs that only need an address. */
export async function configIfAny(context: Pick<VerbContext, 'flags' | 'env'>): Promise<ResolvedConfig | undefined> {
  if (textFlag(context.flags, 'config') === undefined && !existsSync(DEFAULT_FILE)) return undefined;
  return configOf(context);
}
