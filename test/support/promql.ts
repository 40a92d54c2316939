import { parser } from '@prometheus-io/lezer-promql';

/** What a PromQL expression asks for: every metric with the labels that are matched on it, and the labels that results are grouped by. */
export interface Query {
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[];
  /** Of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`. */
  readonly grouping: readonly string[];
}

/**
 * Reads an expression by the grammar of Prometheus itself. Variables of Grafana for a time (`$__rate_interval`) stand for a minute.
 * @throws Error with the place where the expression is not PromQL
 */
export function readQuery(expression: string): Query {
  const text = expression.replaceAll(/\$__\w+/g, '1m');
  const selectors: { metric: string; labels: string[] }[] = [];
  const grouping: string[] = [];
  let labels: string[] = [];
  parser.parse(text).iterate({
    enter({ type, name, from, to }) {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text.slice(0, from)} >>> ${text.slice(from)}`);
      if (name === 'VectorSelector') {
        labels = [];
        selectors.push({ metric: '', labels });
      } else if (name === 'Identifier') {
        selectors[selectors.length - 1]!.metric = text.slice(from, to);
      } else if (name === 'GroupingLabels') {
        labels = grouping;
      } else if (name === 'LabelName') {
        labels.push(text.slice(from, to));
      }
    },
    leave({ name }) {
      if (name === 'GroupingLabels') labels = [];
    },
  });
  return { selectors, grouping };
}
