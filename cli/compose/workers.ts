import type { ResolvedConfig } from '../../runtime/config/config.ts';

/** Workers of each kind in one process. */
export interface WorkerCounts {
  readonly prepare: number;
  readonly index: number;
}

/**
 * Embedded, a worker for each partition prepares, since a key change can wait for another partition and costs nothing while it does, and
 * one indexes: SQLite writes one after the other. In a cluster a few of each hide the waits for Kafka, the model and Elasticsearch behind
 * one another; more processes bring more cores.
 */
const CLUSTER: WorkerCounts = { prepare: 2, index: 4 };

/** How many workers a process of this config runs. More than there are partitions would have nothing to do. */
export function workersOf({ cluster, log, pipeline }: ResolvedConfig): WorkerCounts {
  const { prepare = 0, index = 0 } = pipeline.workers ?? {};
  const auto = cluster ? CLUSTER : { prepare: log.partitions, index: 1 };
  return {
    prepare: Math.min(log.partitions, prepare || auto.prepare),
    index: Math.min(log.partitions, index || auto.index),
  };
}
