import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { patched, type Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';
import type { SeedResult } from './run-seed.ts';

/*
 * `npm run simulate:mutants -- --seeds 60 --only name`: plants every bug of the list, one at a time, and runs the simulator until it
 * sees the bug. Tests the tests: exits 1 when fewer than 95 % are caught, or when the code without a bug is not clean.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '60' },
    events: { type: 'string', default: '300' },
    jobs: { type: 'string', default: '2' },
    only: { type: 'string' },
  },
});

const CAUGHT_SHARE = 0.95;
/** A seed takes about half a second; a run that is silent for so long does not end any more, ms. */
const HANGS_AFTER_MS = 60_000;

type Verdict =
  | { readonly kind: 'caught'; readonly seed: number; readonly invariant: string; readonly what: string }
  | { readonly kind: 'hangs'; readonly afterSeeds: number }
  | { readonly kind: 'clean'; readonly seeds: number };

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const chosen = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) throw new RangeError(`there is no mutant "${values.only}"`);
checkEdits(chosen);

const baseline = await verdictOn(undefined);
print(row('no mutant', '', baseline, 'clean'));
if (baseline.kind === 'clean') await runMutants();
else process.exitCode = 1;

async function runMutants(): Promise<void> {
  const queue = [...chosen];
  let caught = 0;
  const lane = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const verdict = await verdictOn(mutant);
      if (verdict.kind !== 'clean') caught++;
      print(row(mutant.name, mutant.breaks, verdict, 'NOT CAUGHT'));
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, lane));
  const share = caught / chosen.length;
  print(`${caught} of ${chosen.length} mutants caught (${(share * 100).toFixed(1)} %)`);
  if (share < CAUGHT_SHARE) process.exitCode = 1;
}

/** Every edit must fit before anything runs: a mutant that is not planted would count as one that is not caught. */
function checkEdits(mutants: readonly Mutant[]): void {
  for (const { name, edits } of mutants) {
    for (const edit of edits) {
      try {
        patched(readFileSync(here(`../../${edit.file.replace(/\.ts$/, '.js')}`), 'utf8'), edit);
      } catch (cause) {
        throw new Error(`The mutant "${name}" cannot be planted.`, { cause });
      }
    }
  }
}

/** Runs one seed after the other until one shows the mutant. @throws Error when the simulator itself does not run. */
function verdictOn(mutant: Mutant | undefined): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const options = ['--seeds', values.seeds, '--events', values.events, '--jobs', '1', '--part', '0'];
    const child = fork(here('main.js'), options, {
      execArgv: mutant ? ['--import', new URL('mutant-loader.js', import.meta.url).href] : [],
      env: { ...process.env, SIMULATOR_MUTANT: mutant?.name ?? '' },
    });
    let seeds = 0;
    const settle = (verdict: Verdict): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      resolve(verdict);
    };
    const timer = setTimeout(() => settle({ kind: 'hangs', afterSeeds: seeds }), HANGS_AFTER_MS);
    child.on('message', (message) => {
      const { seed, violations } = message as SeedResult;
      timer.refresh();
      seeds++;
      const [first] = violations;
      if (first) settle({ kind: 'caught', seed, ...first });
      else if (seeds === Number(values.seeds)) settle({ kind: 'clean', seeds });
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      // After a verdict this changes nothing: a promise settles once.
      reject(new Error(`The simulator ended (${code ?? signal}) under the mutant "${mutant?.name ?? 'none'}".`));
    });
  });
}

function row(name: string, breaks: string, verdict: Verdict, unseen: string): string {
  return `${name.padEnd(48)} ${breaks.padEnd(7)} ${verdict.kind === 'clean' ? `${unseen} in ${verdict.seeds} seeds` : outcome(verdict)}`;
}

function outcome(verdict: Exclude<Verdict, { kind: 'clean' }>): string {
  switch (verdict.kind) {
    case 'caught':
      return `caught by ${verdict.invariant} at seed ${verdict.seed}: ${(verdict.what.split('\n')[0] ?? '').slice(0, 90)}`;
    case 'hangs':
      return `hangs after ${verdict.afterSeeds} seeds`;
  }
}
