import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../cli/package-root.ts';
import { systemClock } from '../../runtime/clock.ts';
import { load, reaches, spread, type Figure, type Scenario } from './measure.ts';
import { backfill } from './backfill.ts';
import { freshness } from './freshness.ts';
import { nestedOrFlat } from './nested-or-flat.ts';
import { partitions } from './partitions.ts';
import { pipelineCost } from './pipeline-cost.ts';
import { queryOverhead } from './query-overhead.ts';
import { recovery } from './recovery.ts';
import { webhooks } from './webhooks.ts';

/*
 * `npm run bench:engines`: questions to the product on the engines that `npm run engines` starts, each beside the bare engine in the same run.
 * `--only a,b` some of them, `--rounds 3`, `--quick` to see that it works, `--save` keeps the figures in baseline.json. See load-tests/README.md.
 */
const SCENARIOS: readonly Scenario[] = [
  pipelineCost,
  freshness,
  queryOverhead,
  partitions,
  recovery,
  backfill,
  webhooks,
  nestedOrFlat,
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const names = values.only?.split(',') ?? SCENARIOS.map(({ name }) => name);
const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `No scenario ${unknown.join(', ')}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}.\n`,
  );
  process.exit(2);
}

const saved: Record<string, unknown> = {};
for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
  print(`\n${scenario.name}: ${scenario.question}`);
  const before = load();
  const cpu = process.cpuUsage();
  const begun = systemClock.monotonicMs();
  const { figures, notes } = await scenario.run({
    rounds: Number(values.rounds),
    quick: values.quick,
    say: (line) => print(`  . ${line}`),
  });
  const minutes = (systemClock.monotonicMs() - begun) / 60_000;
  const { user, system } = process.cpuUsage(cpu);
  const loads = [before, load()].map((one) => one.toFixed(1)).join(' -> ');
  table(figures);
  for (const note of notes) print(`  ${note}`);
  print(
    `  ${minutes.toFixed(1)} minutes, load average ${loads}, ${((user + system) / 1e6).toFixed(1)} CPU seconds of the bench itself`,
  );
  const at = new Date(systemClock.now()).toISOString();
  saved[scenario.name] = {
    at,
    cores: cpus().length,
    node: process.version,
    load: loads,
    quick: values.quick,
    figures,
    notes,
  };
  if (values.save) save();
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
function save(): void {
  const path = fileURLToPath(new URL('load-tests/engines/baseline.json', packageRoot()));
  let kept: Record<string, unknown> = {};
  try {
    kept = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch {
    // The first one.
  }
  writeFileSync(path, `${JSON.stringify({ ...kept, ...saved }, undefined, 1)}\n`);
  print(`\nsaved in ${path}`);
}
