import type { ResolvedConfig, SourceConfig } from '../runtime/config/config.ts';
import { redactConfig } from '../runtime/config/describe-config.ts';
import { connectOf, debeziumSource } from './compose/sources.ts';
import { configOf } from './config-file.ts';
import { probeEngines } from './probe-engines.ts';
import { probeDataDir, probeModel, probePort, type Finding } from './probes.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Validates the config and probes every dependency; 1 when something has to be mended. Changes nothing. */
export async function check(context: VerbContext): Promise<ExitCode> {
  const config = await configOf(context);
  const findings = await findingsOf(config, context);
  const ok = findings.every(({ status }) => status !== 'fault');
  context.output.result({ ok, findings, config: redactConfig(config) }, () => [
    ...findings.flatMap(findingLines),
    ok ? 'Everything is ready.' : 'Mend what is marked as a fault, then check again.',
  ]);
  return ok ? 0 : 1;
}

async function findingsOf(config: ResolvedConfig, context: VerbContext): Promise<readonly Finding[]> {
  const names = config.sources.map((source) => `${source.name} (${source.kind})`).join(', ');
  const findings: Finding[] = [{ name: 'config', status: 'ok', message: `sources: ${names}` }];
  findings.push(await probeDataDir(config.dataDir));
  findings.push(await probePort(config, context));
  if (config.embedder.kind === 'onnx') findings.push(await probeModel());
  findings.push(...(await probeEngines(config, context)));
  for (const source of config.sources) findings.push(...(await probeSource(config, source, context.signal)));
  return findings;
}

async function probeSource(
  config: ResolvedConfig,
  source: SourceConfig,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const found = await findingsAt(config, source, signal);
  return found.map(({ check: what, status, message, fix = 'see the message' }): Finding => {
    const name = `source ${source.name}, ${what}`;
    if (status === 'ok') return { name, status, message };
    return { name, status: status === 'error' ? 'fault' : status, message, mend: fix };
  });
}

async function findingsAt(config: ResolvedConfig, source: SourceConfig, signal: AbortSignal) {
  switch (source.kind) {
    case 'webhook':
      return [];
    case 'postgres': {
      const { probe } = await import('../connectors/postgres/probe.ts');
      return probe(source, signal);
    }
    case 'debezium': {
      const { probe } = await import('../connectors/debezium/probe.ts');
      return probe(debeziumSource(source, config), connectOf(config), signal);
    }
  }
}

function findingLines(finding: Finding): readonly string[] {
  const line = `${finding.status.padEnd(7)}  ${finding.name}: ${finding.message}`;
  return finding.status === 'ok' ? [line] : [line, `         to mend it: ${finding.mend}`];
}
