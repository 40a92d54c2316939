import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { resultOf, type EvalResult, type Measured, type MeasuredSet } from '../eval/results/result.ts';
import { storeResult } from '../eval/results/results-folder.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { checkoutCommit } from './checkout-commit.ts';
import { textFlag } from './parse-flags.ts';
import type { Flags, VerbContext } from './verb.ts';

const OUT_FOLDER = '.freshet/eval';

/** Where runs are kept: `--results`, else below the working directory. */
export function resultsFolder(flags: Flags): string {
  return textFlag(flags, 'results') ?? join(OUT_FOLDER, 'results');
}

/** Writes a page where `--out` says, else under the name given. @returns where it is. */
export async function writePage(name: string, html: string, flags: Flags): Promise<string> {
  const page = textFlag(flags, 'out') ?? join(OUT_FOLDER, `${name}.html`);
  await mkdir(dirname(page), { recursive: true });
  await writeFile(page, html);
  return page;
}

/** A run that is over, as all suites leave it behind. */
export interface FinishedRun {
  readonly suite: string;
  readonly model: string;
  readonly config: ResolvedConfig;
  /** All that was measured; written beside the page. */
  readonly report: object;
  readonly html: string;
  readonly sets: readonly MeasuredSet[];
}

/** Writes the page, the report beside it, and the figures of every query into the folder of runs. */
export async function keepRun(
  run: FinishedRun,
  { flags, clock }: VerbContext,
): Promise<{ readonly page: string; readonly path: string; readonly result: EvalResult }> {
  const page = await writePage(run.suite, run.html, flags);
  await writeFile(page.replace(/(\.html)?$/, '.json'), JSON.stringify(run.report));
  const result = resultOf(await measuredNow(run, clock), run.sets);
  return { page, path: await storeResult(resultsFolder(flags), result), result };
}

/** What a run that ends now was made with. */
export async function measuredNow(
  { suite, model, config }: Pick<FinishedRun, 'suite' | 'model' | 'config'>,
  clock: VerbContext['clock'],
): Promise<Measured> {
  return {
    suite,
    measuredAt: new Date(clock.now()).toISOString(),
    commit: await checkoutCommit(),
    configDigest: configDigest(config),
    model,
    store: 'sqlite',
  };
}

/** Of what changes figures: not of the number of threads, which differs from machine to machine. */
function configDigest({ pipeline, embedder, reranker, generator }: ResolvedConfig): string {
  const settings = { pipeline, embedder: { ...embedder, threads: 0 }, reranker, generator };
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12);
}
