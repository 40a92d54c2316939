import type { ISocketFactory, SASLOptions } from 'kafkajs';
import type { ConnectionOptions } from 'node:tls';
import type { Clock, Random } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/logger.ts';

/** How a log on Kafka is reached, and how it keeps its topics. */
export interface KafkaLogOptions {
  /** Where to begin: `host:port` of one or more brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  /** Folder for the views that `latest` answers from; one per process. What is in it is read again when it is lost. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Which client carries records. `rdkafka` needs the package node-rdkafka and falls back to `kafkajs`, with a warning. */
  readonly client?: 'kafkajs' | 'rdkafka';
  /** A folder that holds `node_modules/node-rdkafka`, when it is not installed beside this package. */
  readonly nativePath?: string;
  /** Name of this client in the broker's logs and quotas. */
  readonly clientId?: string;
  /** Put, with a dot, before every topic and group, so that several installations can share a cluster. */
  readonly namespace?: string;
  /** `describe` tells the offsets of groups whose names begin so; a shared cluster has many others. */
  readonly groupPrefix?: string;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
  /** Makes the sockets of kafkajs, for proxies. */
  readonly socketFactory?: ISocketFactory;
  /** Largest record that topics made here take: key, value and headers, bytes. */
  readonly maxRecordBytes?: number;
  /** Copies of every partition of a topic made here; by default three, or one for each broker when there are fewer. */
  readonly replicationFactor?: number;
  /** How long a compacted topic keeps every record, ms: in it a late, older record of a key is seen and set right. */
  readonly minCompactionLagMs?: number;
  /**
   * `gzip`: requests with a value of 64 KiB or more, by kafkajs; librdkafka cannot choose by size and sends plain. Every process must be
   * able to read what any of them writes, and kafkajs reads gzip alone.
   */
  readonly compression?: 'none' | 'gzip';
  /** A member that was not heard of for so long loses its partitions, ms. Brokers take 6 s at least. */
  readonly sessionTimeoutMs?: number;
  /** How often a member tells that it lives and asks whether the group changes, ms. */
  readonly heartbeatMs?: number;
  /** After how long new partitions of a topic are noticed, ms. */
  readonly metadataMaxAgeMs?: number;
  /** How long one request may take, ms. */
  readonly requestTimeoutMs?: number;
}

/** Options with every default filled in. */
export type FilledKafkaLogOptions = KafkaLogOptions & Required<Pick<KafkaLogOptions, keyof typeof DEFAULTS>>;

const DEFAULTS = {
  client: 'kafkajs',
  clientId: 'freshet',
  namespace: '',
  groupPrefix: 'freshet-',
  maxRecordBytes: 16_777_216,
  minCompactionLagMs: 600_000,
  compression: 'gzip',
  sessionTimeoutMs: 10_000,
  // A rebalance is noticed after half of this on average; a heartbeat costs the broker some 20 us.
  heartbeatMs: 500,
  metadataMaxAgeMs: 10_000,
  requestTimeoutMs: 15_000,
} as const;

/** Fills in what is not stated. */
export function fillOptions(options: KafkaLogOptions): FilledKafkaLogOptions {
  return { ...DEFAULTS, ...options };
}
