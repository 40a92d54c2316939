import { compareResults, type Comparison } from '../eval/compare/compare-results.ts';
import { comparisonPage } from '../eval/report/comparison-page.ts';
import { comparisonText } from '../eval/report/comparison-text.ts';
import { historyPage, historyText } from '../eval/report/history-page.ts';
import type { EvalResult } from '../eval/results/result.ts';
import { readResult, readResults } from '../eval/results/results-folder.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { resultsFolder, writePage } from './eval-keep.ts';
import { choiceFlag } from './parse-flags.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** `eval compare A B`: prints how run B differs from run A and writes the page. @returns 1 when anything is worse. */
export async function evalCompare({ words, flags, output }: VerbContext): Promise<ExitCode> {
  const [, a, b] = words;
  if (a === undefined || b === undefined || words.length > 3)
    throw new InvalidUsage('usage: freshet eval compare <run A> <run B>: two files below .freshet/eval/results');
  const comparison = comparisonOf(await storedRun(a), await storedRun(b));
  const page = await writePage('compare', comparisonPage(comparison), flags);
  output.result(comparison, () => [...comparisonText(comparison), '', `The page is ${page}.`]);
  return comparison.verdict === 'worse' ? 1 : 0;
}

/** `eval history`: prints how the means of a suite went from run to run and writes the page. */
export async function evalHistory({ words, flags, output }: VerbContext, suites: readonly string[]): Promise<ExitCode> {
  if (words.length > 1) throw new InvalidUsage('usage: freshet eval history [--suite retrieval] [--results <folder>]');
  const suite = choiceFlag(flags, 'suite', suites) ?? 'retrieval';
  const folder = resultsFolder(flags);
  const runs = (await usable(() => readResults(folder, suite))).map(({ result }) => result);
  if (runs.length === 0)
    throw new InvalidUsage(`no run of the suite ${suite} is in ${folder}; \`freshet eval --suite ${suite}\` makes one`);
  const page = await writePage('history', historyPage(runs), flags);
  output.result(runs, () => [...historyText(runs), '', `The page is ${page}.`]);
  return 0;
}

/** One stored run. @throws InvalidUsage when the file is not there or is none. */
export function storedRun(path: string): Promise<EvalResult> {
  return usable(() => readResult(path));
}

/** @throws InvalidUsage when the runs have nothing to compare. */
export function comparisonOf(a: EvalResult, b: EvalResult): Comparison {
  try {
    return compareResults(a, b);
  } catch (cause) {
    throw cause instanceof RangeError ? new InvalidUsage(`cannot compare: ${cause.message}`, { cause }) : cause;
  }
}

async function usable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const path = (cause as NodeJS.ErrnoException).path ?? 'the file';
    if (isMissing) throw new InvalidUsage(`there is no run ${path}; \`freshet eval\` makes one`, { cause });
    throw cause instanceof SyntaxError ? new InvalidUsage(cause.message, { cause }) : cause;
  }
}
