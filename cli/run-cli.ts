import type { Clock } from '../runtime/clock.ts';
import type { Environment } from '../runtime/config/environment-references.ts';
import { FreshetError, InvalidConfig, InvalidUsage } from '../runtime/errors.ts';
import { overview, verbHelp, verbNamed } from './help.ts';
import { createOutput, type Output, type Streams } from './output.ts';
import { parseFlags } from './parse-flags.ts';
import type { ExitCode } from './verb.ts';
import { verbs } from './verbs.ts';

/** The world of a process, as arguments. */
export interface World {
  readonly env: Environment;
  readonly streams: Streams;
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/**
 * Runs one command line (`args` without interpreter and script) and gives its exit code. Never throws: every error becomes a line on
 * stderr, and with `--json` also `{ "error": { code, message } }` on stdout.
 */
export async function runCli(args: readonly string[], world: World): Promise<ExitCode> {
  // Before the flags are read, the only sign of --json is the word itself.
  const output = createOutput(world.streams, args.includes('--json'));
  try {
    return await dispatch(args, world, output);
  } catch (error) {
    return report(error, output, world.signal);
  }
}

async function dispatch(args: readonly string[], world: World, output: Output): Promise<ExitCode> {
  const [name, ...rest] = args.filter((arg, index) => index > 0 || !isHelp(arg));
  if (name === undefined) {
    for (const line of overview(verbs)) output.say(line);
    if (args.length > 0) return 0;
    output.warn('freshet: which verb?');
    return 2;
  }
  if (name === '--version') return dispatch(['version', ...rest], world, output);
  if (isHelp(args[0])) return dispatch(['help', name], world, output);
  const verb = verbNamed(name, verbs);
  const { flags, words } = parseFlags(verb, rest);
  if (flags['help'] === true) {
    output.result(verb, verbHelp);
    return 0;
  }
  const { env, clock, fetch, signal } = world;
  return verb.run({ flags, words, output, verbs, env, clock, fetch, signal });
}

function isHelp(arg: string | undefined): boolean {
  return arg === '--help' || arg === '-h';
}

function report(error: unknown, output: Output, signal: AbortSignal): ExitCode {
  // Stopped on request: a verb that could not finish has failed, but there is nothing to explain.
  if (signal.aborted && !(error instanceof FreshetError)) return 1;
  const code = error instanceof FreshetError ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  output.warn(`freshet: ${message}${code && !isUsage(error) ? ` (${code})` : ''}`);
  if (!(error instanceof FreshetError) && error instanceof Error && error.stack) output.warn(error.stack);
  if (output.isJson) {
    const faults = error instanceof InvalidConfig && error.faults.length > 0 ? { faults: error.faults } : {};
    output.result({ error: { ...(code && { code }), message, ...faults } }, () => []);
  }
  return isUsage(error) ? 2 : 1;
}

function isUsage(error: unknown): boolean {
  return error instanceof InvalidUsage || error instanceof InvalidConfig;
}
