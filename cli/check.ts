import type { PostgresSourceConfig, ResolvedConfig } from '../runtime/config/config.ts';
import { redactConfig } from '../runtime/config/describe-config.ts';
import { FreshetError } from '../runtime/errors.ts';
import { configOf } from './config-file.ts';
import { probeDataDir, probeModel, probePort, type Finding } from './probes.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Validates the config and probes every dependency; 1 when something has to be mended. Changes nothing. */
export async function check(context: VerbContext): Promise<ExitCode> {
  const config = await configOf(context);
  const findings = await findingsOf(config, context);
  const ok = findings.every((finding) => finding.ok);
  context.output.result({ ok, findings, config: redactConfig(config) }, () => [
    ...findings.flatMap(findingLines),
    ok ? 'Everything is ready.' : 'Mend what is marked with FAULT, then check again.',
  ]);
  return ok ? 0 : 1;
}

async function findingsOf(config: ResolvedConfig, context: VerbContext): Promise<readonly Finding[]> {
  const names = config.sources.map((source) => `${source.name} (${source.kind})`).join(', ');
  const findings: Finding[] = [{ name: 'config', ok: true, detail: `sources: ${names}` }];
  findings.push(await probeDataDir(config.dataDir));
  findings.push(await probePort(config, context));
  if (config.embedder.kind === 'onnx') findings.push(await probeModel());
  for (const source of config.sources)
    if (source.kind === 'postgres') findings.push(await probeSource(source, context.signal));
  return findings;
}

async function probeSource(source: PostgresSourceConfig, signal: AbortSignal): Promise<Finding> {
  const { probe } = await import('../connectors/postgres/probe.ts');
  const name = `source ${source.name}`;
  try {
    return { name, ok: true, detail: await probe(source, signal) };
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    const mend =
      error.fate === 'retry'
        ? `see that the server of source \`${source.name}\` runs and can be reached from here`
        : 'do what the message says, on the server of the source';
    return { name, ok: false, problem: error.message, mend };
  }
}

function findingLines(finding: Finding): readonly string[] {
  if (finding.ok) return [`ok     ${finding.name}: ${finding.detail}`];
  return [`FAULT  ${finding.name}: ${finding.problem}`, `       to mend it: ${finding.mend}`];
}
