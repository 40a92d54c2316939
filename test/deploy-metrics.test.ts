import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { collectProcessMetrics, createMetrics } from '../runtime/metrics.ts';
import { readQuery } from './support/promql.ts';
import { filesBelow, root } from './support/source-files.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** What Prometheus adds to every series, and `role`, which deploy/prometheus/prometheus.yml makes. */
const SCRAPED = ['job', 'instance', 'role'];

/** Every series that a scrape gives, with its labels: histograms as their parts. */
const series = await (async () => {
  const metrics = createMetrics();
  collectProcessMetrics(metrics);
  const known = new Map<string, readonly string[]>([
    ['up', SCRAPED],
    ['ALERTS', ['alertname', 'alertstate', 'severity']],
  ]);
  const types = new Map((await metrics.registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  for (const metric of metrics.registry.getMetricsAsArray()) {
    // prom-client declares the label names of a metric on its object, but not in its type.
    const { name, labelNames } = metric as unknown as { name: string; labelNames: readonly string[] };
    const labels = [...labelNames, ...SCRAPED];
    known.set(name, labels);
    if (types.get(name) !== 'histogram') continue;
    known.delete(name);
    known.set(`${name}_bucket`, [...labels, 'le']);
    known.set(`${name}_sum`, labels).set(`${name}_count`, labels);
  }
  metrics.registry.clear();
  return known;
})();

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: Datasource;
  }[];
}
interface Datasource {
  readonly type: string;
  readonly uid: string;
}
interface Board {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}
interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const boards = filesBelow('deploy/grafana/dashboards', '.json').map((path) => ({
  path,
  board: JSON.parse(read(path)) as Board,
}));
const alerts = (parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Alert[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const queries = [
  ...boards.flatMap(({ path, board }) => [
    ...board.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => [`${path}: ${title}`, expr] as const),
    ),
    ...board.annotations.list.map(({ expr }) => [`${path}: annotations`, expr] as const),
  ]),
  ...alerts.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
];

/** What is wrong with an expression: unknown metrics, labels that a metric does not have, labels that nothing could be grouped by. */
function faultsOf(expression: string): readonly string[] {
  const { selectors, grouping } = readQuery(expression);
  const unknown = selectors.filter(({ metric }) => !series.has(metric)).map(({ metric }) => `no metric ${metric}`);
  const labels = selectors.flatMap(({ metric, labels: asked }) =>
    asked.filter((label) => !series.get(metric)?.includes(label)).map((label) => `${metric} has no label ${label}`),
  );
  const available = new Set(selectors.flatMap(({ metric }) => series.get(metric) ?? []));
  return [
    ...unknown,
    ...labels,
    ...grouping.filter((label) => !available.has(label)).map((label) => `nothing has ${label}`),
  ];
}

describe('what is asked of Prometheus', () => {
  test.each(queries)('%s names metrics and labels that exist', (_name, expression) => {
    expect(faultsOf(expression)).toEqual([]);
  });

  test('a name, a matched label or a grouping that no metric has is found, and so is what is not PromQL', () => {
    expect(faultsOf('sum by (color) (rate(freshet_lag_record{topic="x"}[5m]))')).toEqual([
      'no metric freshet_lag_record',
      'freshet_lag_record has no label topic',
      'nothing has color',
    ]);
    expect(faultsOf('freshet_lag_records{source="x"}')).toEqual(['freshet_lag_records has no label source']);
    expect(faultsOf('rate(freshet_freshness_seconds[$__rate_interval])')).toEqual([
      'no metric freshet_freshness_seconds',
    ]);
    expect(() => readQuery('sum(rate(up[5m])')).toThrow('not PromQL');
  });

  test('every metric of ours is shown on a board', () => {
    const shown = new Set(
      boards.flatMap(({ board }) =>
        board.panels.flatMap(({ targets = [] }) =>
          targets.flatMap(({ expr }) => readQuery(expr).selectors.map(({ metric }) => metric)),
        ),
      ),
    );
    const ours = [...series.keys()].filter((name) => name.startsWith('freshet_') && !/_(sum|count)$/.test(name));
    expect(ours.filter((name) => !shown.has(name))).toEqual([]);
  });
});

describe.each(boards)('$path', ({ board }) => {
  test('has panels that neither overlap nor leave the grid, with ids of their own', () => {
    const cells = board.panels.flatMap(({ title, gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => ({ title, at: `${x + (cell % w)},${y + Math.floor(cell / w)}` })),
    );
    expect(new Set(cells.map(({ at }) => at)).size).toBe(cells.length);
    expect(board.panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
  });

  test('says of every panel what it shows, and asks the provisioned datasource', () => {
    const provisioned = parse(read('deploy/grafana/provisioning/datasources/prometheus.yaml')) as {
      datasources: Datasource[];
    };
    const uids = provisioned.datasources.map(({ uid }) => uid);
    const graphs = board.panels.filter(({ type }) => type !== 'row');
    expect(graphs.filter(({ description }) => !description).map(({ title }) => title)).toEqual([]);
    expect(
      graphs.filter(({ targets = [] }) => targets.some(({ datasource }) => !uids.includes(datasource.uid))),
    ).toEqual([]);
  });

  test('names in a legend only labels that its query keeps', () => {
    const lost = board.panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ expr, legendFormat }) => {
        const { selectors, grouping } = readQuery(expr);
        const kept = new Set(
          grouping.length > 0 ? grouping : selectors.flatMap(({ metric }) => series.get(metric) ?? []),
        );
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '');
        return named.filter((label) => !kept.has(label)).map((label) => `${title}: ${label}`);
      }),
    );
    expect(lost).toEqual([]);
  });

  test('fills its variables from metrics that exist, and uses no other variable', () => {
    const variables = board.templating.list.map(({ name, definition }) => {
      const [, query = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      expect(faultsOf(query)).toEqual([]);
      expect(readQuery(query).selectors.flatMap(({ metric }) => series.get(metric) ?? [])).toContain(label);
      return name;
    });
    const used = board.panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => [...expr.matchAll(/\$(?!__)(\w+)/g)].map((match) => match[1] ?? '')),
    );
    expect([...new Set(used)].toSorted()).toEqual(variables.toSorted());
  });
});

describe('deploy/prometheus/alerts.yml', () => {
  test.each(alerts)('$alert says how urgent it is, what is wrong and where to read on', ({ labels, annotations }) => {
    expect(['page', 'ticket']).toContain(labels['severity']);
    expect(annotations.summary).toMatch(/\.$/);
    const [page = '', anchor = ''] = annotations.runbook.split('#');
    const anchors = [...read(page).matchAll(/^#+\s+(.+)$/gm)].map((match) =>
      (match[1] ?? '')
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    );
    expect(anchors).toContain(anchor);
  });

  test.each(alerts)('$alert is shown to fire and to stay silent', ({ alert }) => {
    const { tests } = parse(read('deploy/prometheus/alerts.test.yml')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
    };
    const cases = tests.flatMap((each) => each.alert_rule_test).filter(({ alertname }) => alertname === alert);
    expect(new Set(cases.map(({ exp_alerts }) => (exp_alerts?.length ?? 0) > 0))).toEqual(new Set([false, true]));
  });
});
