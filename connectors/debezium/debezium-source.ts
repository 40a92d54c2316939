import type { TableConfig } from '../../runtime/config/config.ts';

/** Systems whose changes Debezium brings. */
export type DebeziumDatabase = 'postgres' | 'mysql' | 'mariadb' | 'mongodb';

/** A source that Debezium captures on Kafka Connect. */
export interface DebeziumSourceConfig {
  readonly name: string;
  readonly kind: 'debezium';
  readonly database: DebeziumDatabase;
  /** URL of the database with user and password, as this process reaches it. */
  readonly connection: string;
  /** The same as Kafka Connect reaches it; absent: the same address. */
  readonly connectConnection?: string;
  /** Tables as `schema.table`, of MySQL and MongoDB as `database.table`. */
  readonly tables: readonly TableConfig[];
  /** Replication slot and publication of PostgreSQL; default `freshet_<source>`. */
  readonly slot?: string;
  readonly publication?: string;
  /** How often something is written into an idle database's log, so that its position moves on, ms; 0 turns it off. Default 1,000. */
  readonly heartbeatMs?: number;
  /** Bytes that Debezium holds in its queue. Default 64 MiB. */
  readonly maxQueueBytes?: number;
  /** Largest record that Kafka Connect sends. Default 32 MiB. */
  readonly maxRecordBytes?: number;
  /** Properties of the connector that are set over ours, for what is not foreseen here. */
  readonly properties?: Readonly<Record<string, string>>;
}

export const DEFAULT_HEARTBEAT_MS = 1_000;
export const DEFAULT_MAX_QUEUE_BYTES = 67_108_864;
export const DEFAULT_MAX_RECORD_BYTES = 33_554_432;

/** Name of the connector that streams a source's changes; installations with namespaces of their own may share a Kafka Connect. */
export function streamConnectorName(source: string, namespace = ''): string {
  return `freshet-${namespace === '' ? '' : `${namespace}-`}${source}`;
}

/** Name of the connector that reads a source's tables once, in one epoch. */
export function snapshotConnectorName(source: string, epoch: number, namespace = ''): string {
  return `${streamConnectorName(source, namespace)}-snapshot-${epoch}`;
}
