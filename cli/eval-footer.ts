import { comparisonText } from '../eval/report/comparison-text.ts';
import type { EvalResult } from '../eval/results/result.ts';
import { comparisonOf, storedRun } from './eval-compare.ts';
import type { keepRun } from './eval-keep.ts';
import { textFlag } from './parse-flags.ts';
import type { Flags } from './verb.ts';

/** The run of `--against`. @throws InvalidUsage, before anything is measured, when it is none. */
export async function earlierRun(flags: Flags): Promise<EvalResult | undefined> {
  const path = textFlag(flags, 'against');
  return path === undefined ? undefined : storedRun(path);
}

/** The lines below a suite's table: how it differs from the earlier run, where one is given, and where everything is. */
export function footer(
  { page, path, result }: Awaited<ReturnType<typeof keepRun>>,
  earlier: EvalResult | undefined,
): readonly string[] {
  return [
    ...(earlier ? ['', ...comparisonText(comparisonOf(earlier, result))] : []),
    '',
    `The page is ${page}, the run ${path}.`,
  ];
}
