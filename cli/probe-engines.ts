import { describeEngines } from '../ports/registry.ts';
import { systemRandom } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { deadline } from '../runtime/deadline.ts';
import { FreshetError } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import type { Finding } from './probes.ts';
import type { VerbContext } from './verb.ts';

/** Longer than a healthy engine takes to answer, also behind a slow network, ms. */
const PROBE_TIMEOUT_MS = 15_000;

/** Whether every engine of the config answers, and what it says of itself. Changes nothing in any of them. */
export async function probeEngines(
  config: ResolvedConfig,
  { clock, signal }: Pick<VerbContext, 'clock' | 'signal'>,
): Promise<readonly Finding[]> {
  const parts = { clock, random: systemRandom, logger: silentLogger };
  return Promise.all(
    describeEngines(config, parts).map(async (engine): Promise<Finding> => {
      const { name, key } = engine;
      const limited = deadline(clock, PROBE_TIMEOUT_MS, signal);
      try {
        return { name, status: 'ok', message: await engine.ask(limited.signal) };
      } catch (error) {
        signal.throwIfAborted();
        const message = limited.expired()
          ? `no answer within ${PROBE_TIMEOUT_MS} ms`
          : error instanceof FreshetError
            ? error.message
            : 'it does not answer';
        return { name, status: 'fault', message, mend: `start it, or correct \`${key}\` in the config` };
      } finally {
        limited.end();
      }
    }),
  );
}
