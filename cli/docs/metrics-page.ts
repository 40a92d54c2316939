import { createMetrics } from '../../runtime/metrics.ts';

/** One metric, as docs/METRICS.md lists it. */
export interface DocumentedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** Every metric of ours, by name. */
export function documentedMetrics(): readonly DocumentedMetric[] {
  return Object.entries(createMetrics())
    .filter(([key]) => key !== 'registry')
    .map(([, metric]) => {
      const { name, help, labelNames } = metric as unknown as {
        name: string;
        help: string;
        labelNames: readonly string[];
      };
      return { name, help, labels: labelNames, type: metric.constructor.name.toLowerCase() };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** docs/METRICS.md. */
export function metricsPage(): string {
  const rows = documentedMetrics().map(({ name, type, labels, help }) =>
    `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`.replace(
      /\| {2,}(?=\|)/g,
      '| ',
    ),
  );
  return [
    '# Metrics',
    '',
    'At `/metrics`, in the format of Prometheus. Times are seconds, sizes are bytes. Labels hold names of stages, sources, codes and',
    'topics, never ids. The process metrics of `prom-client` (CPU, memory, event loop, garbage collection) come on top.',
    '',
    'This page is generated from `runtime/metrics.ts` by `npm run docs`.',
    '',
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
