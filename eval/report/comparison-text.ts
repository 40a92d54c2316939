import type { Comparison, MetricComparison } from '../compare/compare-results.ts';
import type { Measured } from '../results/result.ts';
import { aligned, fixed, signed } from './text-table.ts';

export const COMPARISON_COLUMNS: readonly string[] = [
  'set',
  'metric',
  'queries',
  'differ',
  'A',
  'B',
  'change',
  '95 %',
  'p',
  'verdict',
];

export function comparisonRow(each: MetricComparison): readonly string[] {
  const { set, metric, queries, changed, a, b, difference, p, verdict } = each;
  return [
    set,
    metric,
    String(queries),
    String(changed),
    fixed(a),
    fixed(b),
    signed(difference.mean),
    `${signed(difference.low)} to ${signed(difference.high)}`,
    p < 0.001 ? '<0.001' : fixed(p),
    verdict,
  ];
}

/** A run in one line. */
export function runLine({ suite, measuredAt, commit, configDigest, model, store }: Measured): string {
  const of = commit === null ? 'no checkout' : `commit ${commit.slice(0, 10)}${commit.endsWith('+') ? '+' : ''}`;
  return `${suite} of ${measuredAt}, ${of}, settings ${configDigest}, ${model}, ${store}`;
}

/** The lines of the terminal. */
export function comparisonText(comparison: Comparison): readonly string[] {
  const { a, b, metrics, unpaired } = comparison;
  return [
    `A: ${runLine(a)}`,
    `B: ${runLine(b)}`,
    ...aligned([COMPARISON_COLUMNS, ...metrics.map(comparisonRow)]),
    ...unpaired.map((each) => `not compared: ${each}`),
    verdictLine(comparison),
  ];
}

/** The comparison in one sentence. */
export function verdictLine({ metrics }: Comparison): string {
  const named = (verdict: string) =>
    metrics.filter((each) => each.verdict === verdict).map(({ set, metric }) => `${set} ${metric}`);
  const [worse, better] = [named('worse'), named('better')];
  if (worse.length + better.length === 0) return `No evidence of a difference in ${metrics.length} metrics.`;
  const words = [
    ...(worse.length > 0 ? [`worse: ${worse.join(', ')}`] : []),
    ...(better.length > 0 ? [`better: ${better.join(', ')}`] : []),
  ].join('; ');
  return `B is ${words}.`;
}
