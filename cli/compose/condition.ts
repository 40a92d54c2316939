import type { Histogram } from 'prom-client';
import type { Connector, ConnectorHealth } from '../../connectors/connector.ts';
import type { Log } from '../../ports/log/log.ts';
import { lagOf } from '../../ports/log/partitions.ts';
import type { Readiness, SourceCondition } from '../../query-api/deps.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import { PREPARE_GROUP } from '../../pipeline/topics.ts';
import type { SourceTopics } from './sources.ts';

/** Why the process must not take changes and queries; empty when it may. Being behind is no reason. */
export function readiness(connectors: readonly Connector[], stopped: ReadonlyMap<string, Error>): Readiness {
  const reasons = connectors.flatMap((connector) => reasonOf(connector.source, connector.health()));
  for (const [worker, error] of stopped) reasons.push(`${worker} has stopped: ${error.message}`);
  return { ready: reasons.length === 0, reasons };
}

function reasonOf(source: string, { state, reason }: ConnectorHealth): string[] {
  const because = reason === undefined ? '' : `: ${reason}`;
  switch (state) {
    case 'snapshot':
    case 'streaming':
      return [];
    case 'connecting':
      return [`source ${source} is not connected${because}`];
    case 'resyncing':
      return [`source ${source} is read again because changes were lost${because}`];
    case 'failed':
      return [`source ${source} has failed${because}`];
    case 'stopped':
      return [`source ${source} has stopped${because}`];
  }
}

interface ConditionParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sources: readonly SourceTopics[];
}

/** What the log and the connectors, of this process or another, know of every source, beside its place in the index. */
export async function conditions(
  { log, metrics, sources }: ConditionParts,
  indexGroup: string,
  connectors: readonly Connector[],
  elsewhere: ReadonlyMap<string, ConnectorHealth>,
  signal?: AbortSignal,
): Promise<Record<string, SourceCondition>> {
  const partitions = await log.describe([DOCUMENTS_TOPIC, ...sources.flatMap(({ topics }) => topics)], signal);
  const lagIn = (names: readonly string[], group: string): number =>
    partitions.filter(({ topic }) => names.includes(topic)).reduce((lag, state) => lag + lagOf(state, group), 0);
  const documentsLag = lagIn([DOCUMENTS_TOPIC], indexGroup);
  const result: Record<string, SourceCondition> = {};
  for (const { source, topics } of sources) {
    const health = connectors.find((connector) => connector.source === source)?.health() ?? elsewhere.get(source);
    result[source] = {
      ...(health && { connected: health.state === 'streaming' || health.state === 'snapshot', state: health.state }),
      ...(health?.reason !== undefined && { reason: health.reason }),
      lagRecords: lagIn(topics, PREPARE_GROUP) + documentsLag,
      freshnessSeconds: await quantiles(metrics.freshness, source),
    };
  }
  return result;
}

/** Quantiles from the buckets of the histogram: the upper bound of the bucket that holds them. */
async function quantiles(
  histogram: Histogram<'source' | 'level'>,
  source: string,
): Promise<{ p50?: number; p99?: number }> {
  const { values } = await histogram.get();
  const own = values.filter(({ labels }) => labels.source === source && labels.level === 'searchable');
  const buckets = own
    .filter(({ metricName }) => metricName?.endsWith('_bucket'))
    .map(({ labels, value }) => ({
      le: Number(
        (labels as { le?: string | number }).le === '+Inf' ? Infinity : (labels as { le?: string | number }).le,
      ),
      value,
    }));
  const total = own.find(({ metricName }) => metricName?.endsWith('_count'))?.value ?? 0;
  const at = (share: number): number | undefined =>
    buckets.find(({ le, value }) => Number.isFinite(le) && value >= share * total)?.le;
  const [p50, p99] = [at(0.5), at(0.99)];
  return total === 0 ? {} : { ...(p50 !== undefined && { p50 }), ...(p99 !== undefined && { p99 }) };
}
