import kafkajs from 'kafkajs';
import type { Admin, Broker, Cluster, Kafka } from 'kafkajs';
import type { Logger } from '../../../runtime/logger.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import { watchedSockets } from './watched-sockets.ts';

/*
 * kafkajs is CommonJS: its default import is its exports. Its logs are debug to us: whatever goes wrong comes back as an error as well,
 * and is logged once, by consequence.
 */

/** How often kafkajs tries a request again, and between which delays, ms: about 10 s in all, then it is an error of ours. */
export const RETRY = { initialRetryTime: 50, maxRetryTime: 2_000, retries: 9 } as const;
const CONNECTION_TIMEOUT_MS = 3_000;

/** What a broker understands of the group protocol; kafkajs has it and leaves it out of its types. */
export interface GroupBroker extends Broker {
  joinGroup(request: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  }): Promise<{
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
  }>;
  syncGroup(request: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
}

/** A client of kafkajs, and its lower half. */
export interface KafkaConnection {
  readonly kafka: Kafka;
  readonly brokers: readonly string[];
  /** Connects to nothing yet. Its connections are its own. */
  cluster(): Cluster;
  /** The same for the requests of a group's member, which are useless when they are late. */
  groupCluster(): Cluster;
  admin(): Admin;
}

/** Prepares a connection; nothing is connected before it is used. */
export function kafkaConnection(options: FilledKafkaLogOptions): KafkaConnection {
  const kafka = client(options, options.requestTimeoutMs);
  // A heartbeat that is answered after the session is none: a connection that hangs must be given up before.
  const forGroups = client(options, Math.min(options.requestTimeoutMs, options.sessionTimeoutMs / 3));
  return {
    kafka,
    brokers: options.brokers,
    cluster: () => clusterOf(kafka, options.metadataMaxAgeMs),
    groupCluster: () => clusterOf(forGroups, options.metadataMaxAgeMs),
    admin: () => kafka.admin(),
  };
}

function client(options: FilledKafkaLogOptions, requestTimeout: number): Kafka {
  const { brokers, clientId, ssl, sasl, socketFactory, logger, clock } = options;
  // A member that joins hears nothing until all others have: as long as a session.
  const silentMs = Math.max(options.requestTimeoutMs, options.sessionTimeoutMs) + 1_000;
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: Math.min(CONNECTION_TIMEOUT_MS, requestTimeout),
    requestTimeout,
    retry: RETRY,
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => quietly(logger),
    ...(ssl !== undefined && { ssl }),
    ...(sasl !== undefined && { sasl }),
    socketFactory: watchedSockets({ silentMs, clock }, socketFactory),
  });
}

function quietly(logger: Logger) {
  return ({ namespace, log }: { readonly namespace: string; readonly log: { readonly message: string } }): void =>
    logger.debug('kafkajs says something.', { namespace, message: log.message });
}

/**
 * kafkajs' consumer pushes batches, heartbeats only between two of them, gives partitions up without asking, and cannot read without a
 * group. Underneath it is a documented type, `Cluster`, that has none of these limits and that is handed to whoever assigns
 * partitions: a consumer that is never started is asked for it.
 */
function clusterOf(kafka: Kafka, metadataMaxAge: number): Cluster {
  let found: Cluster | undefined;
  kafka.consumer({
    groupId: 'never-joined',
    metadataMaxAge,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster;
        return {
          name: '',
          version: 0,
          assign: async () => [],
          protocol: () => ({ name: '', metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  if (!found) throw new TypeError('kafkajs made a consumer without a cluster');
  return found;
}
