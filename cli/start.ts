import { closest } from '../runtime/closest.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { drain } from '../runtime/lifecycle.ts';
import { createLogger } from '../runtime/logger.ts';
import { configOf } from './config-file.ts';
import { startFreshet, type Role } from './compose.ts';
import { textFlag } from './parse-flags.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Every role, in the order a change passes them. */
export const allRoles: readonly Role[] = ['connectors', 'prepare', 'index', 'query'];

/**
 * Runs the roles until SIGINT or SIGTERM, or until caught up with `--until-caught-up`; then drains within `shutdownTimeoutMs`. A
 * stop on request is a success.
 */
export async function start(context: VerbContext): Promise<ExitCode> {
  const roles = rolesOf(textFlag(context.flags, 'roles'));
  const config = await configOf(context);
  const logger = createLogger(config.logLevel);
  const { signal, output, clock } = context;
  const untilCaughtUp = context.flags['until-caught-up'] === true;
  const running = await startFreshet({ config, roles, logger, signal });
  try {
    output.warn(`Freshet listens at ${running.address}`);
    if (untilCaughtUp) await running.caughtUp(signal);
    else await aborted(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await drain(running, config.shutdownTimeoutMs, clock, logger);
  }
  const isCaughtUp = untilCaughtUp && !signal.aborted;
  output.result({ stopped: true, caughtUp: isCaughtUp, roles }, () => (isCaughtUp ? ['Caught up.'] : ['Stopped.']));
  return 0;
}

/** @throws InvalidUsage for a role that there is not. */
export function rolesOf(list: string | undefined): readonly Role[] {
  if (list === undefined) return allRoles;
  return list.split(',').map((word) => {
    const role = allRoles.find((candidate) => candidate === word.trim());
    if (role) return role;
    const near = closest(word, allRoles);
    throw new InvalidUsage(
      `--roles expects some of ${allRoles.join(', ')}; got ${JSON.stringify(word)}${near ? `; did you mean ${near}?` : ''}`,
    );
  });
}

/** Resolves when the signal aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
