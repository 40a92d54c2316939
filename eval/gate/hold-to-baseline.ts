import { compareResults, type Comparison } from '../compare/compare-results.ts';
import type { EvalResult } from '../results/result.ts';

/** What the gate says of one suite. */
export interface GateVerdict {
  readonly suite: string;
  /** Absent where nothing of the baseline could be measured on this machine. */
  readonly comparison: Comparison | undefined;
  /** Sets of the baseline that were not measured. */
  readonly notMeasured: readonly string[];
  /** Whether the gate lets it through: everything but a metric that is worse. */
  readonly passes: boolean;
}

/**
 * Holds a run to the baseline. It fails on evidence that a metric fell, and on nothing else: a set that this machine does not have, a
 * question that is new, or a figure that moved within chance lets it through.
 */
export function holdToBaseline(baseline: EvalResult, run: EvalResult): GateVerdict {
  const measured = new Set(run.sets.map(({ set }) => set));
  const notMeasured = baseline.sets.map(({ set }) => set).filter((set) => !measured.has(set));
  if (run.sets.length === 0) return { suite: run.suite, comparison: undefined, notMeasured, passes: true };
  const comparison = compareResults(baseline, run);
  return { suite: run.suite, comparison, notMeasured, passes: comparison.verdict !== 'worse' };
}

/** The baseline after a run that is as good as it should be: its figures, and those of the sets that this machine does not have. */
export function updatedBaseline(baseline: EvalResult | undefined, run: EvalResult): EvalResult {
  const measured = new Set(run.sets.map(({ set }) => set));
  const kept = baseline?.sets.filter(({ set }) => !measured.has(set)) ?? [];
  return { ...run, sets: [...run.sets, ...kept] };
}
