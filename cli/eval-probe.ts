import { probeFreshness, type FreshnessReport } from '../eval/probes/freshness-probe.ts';
import { probeLeaks, type LeakReport } from '../eval/probes/leak-probe.ts';
import type { ProbeCaller, ProbeTarget } from '../eval/probes/probe-target.ts';
import { aligned } from '../eval/report/text-table.ts';
import { systemRandom } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { ADMIN_GROUP } from '../schemas/principal.ts';
import { addressOf } from './client.ts';
import { configIfAny } from './config-file.ts';
import { integerFlag, textFlag } from './parse-flags.ts';
import type { ExitCode, VerbContext } from './verb.ts';

const DEFAULT_ROUNDS = 20;
const DEFAULT_LIMIT_MS = 30_000;
const MAX_LIMIT_MS = 3_600_000;

/** `eval freshness`: times inserts, updates and deletes of canaries on a running server. @returns 1 when one did not show in time. */
export async function evalFreshness(context: VerbContext): Promise<ExitCode> {
  const { flags, output, signal } = context;
  const config = await configOf(context);
  const [caller] = callersOf(config);
  if (!caller) throw new InvalidUsage('the freshness probe needs an API key in auth.apiKeys');
  const rounds = integerFlag(flags, 'rounds', 1, 10_000) ?? DEFAULT_ROUNDS;
  const options = { target: targetOf(config, context), caller, rounds, limitMs: limitOf(context) };
  const report = await probeFreshness(options, signal);
  output.result(report, freshnessText);
  return report.steps.every(({ missed }) => missed === 0) ? 0 : 1;
}

/** `eval leaks`: looks on every surface of a running server for what a caller may not see. @returns 1 when there is any. */
export async function evalLeaks(context: VerbContext): Promise<ExitCode> {
  const { output, signal } = context;
  const config = await configOf(context);
  const callers = callersOf(config);
  if (new Set(callers.map(({ tenant }) => tenant)).size < 2)
    throw new InvalidUsage(
      `the leak probe needs API keys of two tenants in auth.apiKeys, not of the group ${ADMIN_GROUP}, which sees more`,
    );
  const options = { target: targetOf(config, context), callers, limitMs: limitOf(context) };
  const report = await probeLeaks(options, signal);
  output.result(report, leakText);
  return report.findings.length === 0 && report.ownShown > 0 ? 0 : 1;
}

async function configOf(context: VerbContext): Promise<ResolvedConfig> {
  if (context.words.length > 1)
    throw new InvalidUsage(`usage: freshet eval ${context.words[0]} [--url <address>] [--source <name>]`);
  const config = await configIfAny(context);
  if (!config)
    throw new InvalidUsage(
      'a probe needs the config of the server, for the secret of a webhook source: --config <file>',
    );
  return config;
}

function targetOf(config: ResolvedConfig, { flags, fetch, clock }: VerbContext): ProbeTarget {
  const name = textFlag(flags, 'source');
  const sources = config.sources.filter(
    (each) => each.kind === 'webhook' && (name === undefined || each.name === name),
  );
  const [source] = sources;
  if (source?.kind !== 'webhook' || sources.length > 1)
    throw new InvalidUsage(
      name === undefined
        ? 'a probe writes to a webhook source: name one of the config with --source'
        : `the config has no webhook source ${name}`,
    );
  const address = (textFlag(flags, 'url') ?? addressOf(config)).replace(/\/+$/, '');
  return { address, source: source.name, secret: source.signature.secret, fetch, clock, random: systemRandom };
}

/** Everybody that the config knows but operators; without credentials, two tenants that share the name of a group. */
function callersOf({ auth }: ResolvedConfig): readonly ProbeCaller[] {
  if (auth.mode !== 'none')
    return (auth.apiKeys ?? [])
      .filter(({ groups = [] }) => !groups.includes(ADMIN_GROUP))
      .map(({ key, tenant, groups = [] }) => ({ tenant, groups, headers: { 'x-api-key': key } }));
  const claimed = (tenant: string, ...groups: string[]): ProbeCaller => ({
    tenant,
    groups,
    headers: { 'x-freshet-tenant': tenant, 'x-freshet-groups': groups.join(',') },
  });
  return [claimed('probe-a', 'staff'), claimed('probe-a'), claimed('probe-b', 'staff')];
}

function limitOf({ flags }: VerbContext): number {
  return integerFlag(flags, 'limit-ms', 1, MAX_LIMIT_MS) ?? DEFAULT_LIMIT_MS;
}

function freshnessText({ source, pollMs, limitMs, steps }: FreshnessReport): readonly string[] {
  const ms = (value: number) => (Number.isNaN(value) ? '-' : value.toFixed(0));
  return [
    `From the acceptance of a change by the source ${source} to the first search that shows it and nothing older, ms; asked every ${pollMs} ms.`,
    ...aligned(
      [
        ['step', 'rounds', `not within ${limitMs} ms`, 'min', 'median', 'max'],
        ...steps.map(({ step, rounds, missed, minMs, medianMs, maxMs }) => [
          step,
          String(rounds),
          String(missed),
          ...[minMs, medianMs, maxMs].map(ms),
        ]),
      ],
      1,
    ),
  ];
}

function leakText({
  callers,
  canaries,
  requests,
  ownShown,
  surfaces,
  findings,
  timingsMs,
}: LeakReport): readonly string[] {
  const times = `${timingsMs.forbidden.toFixed(1)} ms for a document of somebody else, ${timingsMs.unknown.toFixed(1)} ms for none`;
  return [
    `${canaries} canaries, ${requests} requests on ${surfaces.length} surfaces, as: ${callers.join('; ')}.`,
    `A canary was shown to somebody who may see it ${ownShown} times. The median reply took ${times}.`,
    ...findings.map(
      ({ surface, caller, canary, found }) => `LEAK on ${surface}: ${caller} was shown ${found}, of ${canary}`,
    ),
    ownShown === 0
      ? 'No canary was shown to anybody: the probe proves nothing. Is the pipeline running, and --limit-ms long enough?'
      : findings.length === 0
        ? 'No leak was found.'
        : `${findings.length} leaks.`,
  ];
}
