import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '../cli/package-root.ts';
import { systemClock } from '../runtime/clock.ts';
import { load, reaches, spread, type Figure, type Scenario } from './measure.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** What is kept of one run of a scenario. */
interface Kept {
  readonly at: string;
  readonly cores: number;
  readonly node: string;
  readonly load: string;
  readonly cpuSeconds: number;
  readonly quick: boolean;
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
}

/**
 * Runs scenarios by the options of the process and prints what they found: `--only a,b` some of them, `--rounds 3`, `--quick` to see that it
 * works, `--save` keeps the figures in the baseline. @param baseline file below the package.
 */
export async function runScenarios(scenarios: readonly Scenario[], baseline: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  const known = scenarios.map(({ name }) => name);
  const names = values.only?.split(',') ?? known;
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`No scenario ${unknown.join(', ')}; there are ${known.join(', ')}.\n`);
    process.exit(2);
  }
  for (const scenario of scenarios.filter(({ name }) => names.includes(name))) {
    const kept = await runOne(scenario, Number(values.rounds), values.quick);
    if (values.save) save(baseline, { [scenario.name]: kept });
  }
}

async function runOne(scenario: Scenario, rounds: number, quick: boolean): Promise<Kept> {
  print(`\n${scenario.name}: ${scenario.question}`);
  const before = load();
  const cpu = process.cpuUsage();
  const begun = systemClock.monotonicMs();
  const { figures, notes } = await scenario.run({ rounds, quick, say: (line) => print(`  . ${line}`) });
  const minutes = (systemClock.monotonicMs() - begun) / 60_000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const loads = [before, load()].map((one) => one.toFixed(1)).join(' -> ');
  table(figures);
  for (const note of notes) print(`  ${note}`);
  const at = new Date(systemClock.now()).toISOString();
  print(
    `  ${at}, ${minutes.toFixed(1)} minutes, load average ${loads}, ${cpuSeconds.toFixed(1)} CPU seconds of the bench itself`,
  );
  return { at, cores: cpus().length, node: process.version, load: loads, cpuSeconds, quick, figures, notes };
}

function table(figures: readonly Figure[]): void {
  const width = Math.max(...figures.map(({ name }) => name.length));
  print(`  ${'min / median / max'.padStart(width + 26)}`);
  for (const figure of figures) {
    const verdict = reaches(figure);
    const { atLeast, atMost, from } = figure.goal ?? {};
    const goal =
      verdict === undefined
        ? ''
        : `  ${from}: ${atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`} ${verdict ? 'reached' : 'MISSED'}`;
    print(
      `  ${figure.name.padEnd(width)}  ${spread(figure.values).map(short).join(' / ').padStart(24)} ${figure.unit}${goal}`,
    );
  }
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** Scenarios that were not run keep what they had. */
function save(baseline: string, fresh: Readonly<Record<string, Kept>>): void {
  const path = fileURLToPath(new URL(baseline, packageRoot()));
  let kept: Record<string, unknown> = {};
  try {
    kept = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch {
    // The first one.
  }
  writeFileSync(path, `${JSON.stringify({ ...kept, ...fresh }, undefined, 1)}\n`);
  print(`  saved in ${baseline}`);
}
