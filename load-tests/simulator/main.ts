import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runSeed, type SeedResult } from './run-seed.ts';

/*
 * `npm run simulate -- --seeds 2000 --events 300 --first 1`: runs seeds on all cores and prints every violation with the seed that
 * shows it. Exits 1 when there is one. `--twice` runs every seed again and compares the traces.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    events: { type: 'string', default: '300' },
    first: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    twice: { type: 'boolean', default: false },
    'stop-at-first': { type: 'boolean', default: false },
    part: { type: 'string' },
  },
});
const [first, seeds, jobs, events] = [values.first, values.seeds, values.jobs, values.events].map(Number) as [
  number,
  number,
  number,
  number,
];
const print = (line: string): void => void process.stdout.write(`${line}\n`);

if (values.part === undefined) await runAll();
else await runPart(Number(values.part));

/** One process of several: every `jobs`-th seed. */
async function runPart(part: number): Promise<void> {
  for (let seed = first + part; seed < first + seeds; seed += jobs) {
    const result = await runSeed(seed, events);
    const again = values.twice ? await runSeed(seed, events) : result;
    const differs =
      again.trace !== result.trace
        ? [{ invariant: 'determinism', what: `trace ${result.trace}, then ${again.trace}` }]
        : [];
    process.send?.({ ...result, violations: [...result.violations, ...differs] });
  }
  process.disconnect?.();
}

async function runAll(): Promise<void> {
  const started = performance.now();
  const results: SeedResult[] = [];
  const parts = Array.from({ length: jobs }, (_, part) =>
    fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), '--jobs', String(jobs), '--part', String(part)]),
  );
  const ended = parts.map(
    (child) =>
      new Promise<boolean>((resolve) => {
        child.on('message', (result) => {
          results.push(result as SeedResult);
          report(result as SeedResult);
          if (values['stop-at-first'] && (result as SeedResult).violations.length > 0)
            for (const other of parts) other.kill();
        });
        child.on('exit', (code) => resolve(code === 0));
      }),
  );
  const isComplete = (await Promise.all(ended)).every(Boolean);
  const total = (of: (result: SeedResult) => number): number => results.reduce((sum, result) => sum + of(result), 0);
  const failed = total((result) => (result.violations.length > 0 ? 1 : 0));
  const minutes = (performance.now() - started) / 60_000;
  print(
    `${results.length} seeds, ${total((one) => one.events)} events, ${total((one) => one.crashes)} crashes, ${failed} seeds with violations, ${Math.round(results.length / minutes)} seeds a minute`,
  );
  process.exitCode = failed > 0 || (!isComplete && !values['stop-at-first']) ? 1 : 0;
}

function report({ seed, trace, steps, crashes, violations }: SeedResult): void {
  if (violations.length === 0) return;
  print(`seed ${seed} (trace ${trace}, ${steps} steps, ${crashes} crashes):`);
  for (const { invariant, what } of violations.slice(0, 5)) print(`  ${invariant}: ${what}`);
}
