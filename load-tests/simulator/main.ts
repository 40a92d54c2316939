import { parseArgs } from 'node:util';
import { runSeed } from './run-seed.ts';

/* `npm run simulate -- --seeds 2000 --events 300 --first 1`: prints every violation with the seed that shows it. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    events: { type: 'string', default: '300' },
    first: { type: 'string', default: '1' },
    'stop-at-first': { type: 'boolean', default: false },
  },
});
const first = Number(values.first);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const started = performance.now();
let failed = 0;
let crashes = 0;
let events = 0;
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const result = await runSeed(seed, Number(values.events));
  crashes += result.crashes;
  events += result.events;
  if (result.violations.length === 0) continue;
  failed++;
  print(`seed ${seed} (trace ${result.trace}, ${result.steps} steps, ${result.crashes} crashes):`);
  for (const { invariant, what } of result.violations.slice(0, 5)) print(`  ${invariant}: ${what}`);
  if (values['stop-at-first']) break;
}
const minutes = (performance.now() - started) / 60_000;
print(
  `${values.seeds} seeds, ${events} events, ${crashes} crashes, ${failed} seeds with violations, ${Math.round(Number(values.seeds) / minutes)} seeds a minute`,
);
process.exitCode = failed > 0 ? 1 : 0;
