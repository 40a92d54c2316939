import kafkajs from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { KafkaLogOptions } from './kafka/options.ts';
import { openKafkaLog, type KafkaLog } from './kafka-log.ts';
import type { OpenedLog } from './log-fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'freshet-kafka-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Brokers of the shared test engine. */
export function testBrokers(): string[] {
  const url = process.env['KAFKA_TEST_URL'];
  if (!url) throw new Error('KAFKA_TEST_URL is not set: run npm run engines first');
  return url.split(',');
}

/** Options of a log that shares nothing with another test's. */
export function kafkaOptions(options: Partial<KafkaLogOptions> = {}): KafkaLogOptions {
  return {
    brokers: testBrokers(),
    namespace: `t${randomUUID()}`,
    groupPrefix: '',
    stateDir: join(folder, randomUUID()),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    heartbeatMs: 100,
    sessionTimeoutMs: 4_000,
    metadataMaxAgeMs: 1_000,
    ...options,
  };
}

/** Sockets that can be cut all at once, as when a process is killed. */
export function cuttableSockets() {
  const sockets = new Set<Socket>();
  let isCut = false;
  return {
    factory: ({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }): Socket => {
      const socket = connect({ host, port }, onConnect);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      if (isCut) socket.destroy(new Error('cut'));
      return socket;
    },
    /** No connection lives, and none comes up, until `mend`. */
    cut: (): void => {
      isCut = true;
      for (const socket of sockets) socket.destroy(new Error('reset'));
    },
    mend: (): void => {
      isCut = false;
    },
    /** Connections stay open, and nothing comes through them any more, as when a router forgets them. New ones work. */
    silence: (): void => {
      for (const socket of sockets) {
        socket.removeAllListeners('data');
        socket.pause();
      }
    },
    /** Connections break and may be made again at once. */
    reset: (): void => {
      for (const socket of sockets) socket.destroy(new Error('reset'));
    },
  };
}

/** Opens a log for the conformance suite. */
export async function openForSuite(client: 'kafkajs' | 'rdkafka'): Promise<OpenedLog> {
  const sockets = cuttableSockets();
  const nativePath = process.env['FRESHET_RDKAFKA_PATH'];
  const options = kafkaOptions({ client, ...(nativePath !== undefined && { nativePath }) });
  const log = await openKafkaLog({ ...options, socketFactory: sockets.factory });
  return {
    log,
    reopen: async () => {
      sockets.cut();
      return openKafkaLog(options);
    },
    deleteBefore: ({ topic, partition, offset }) => deleteBefore(options, topic, partition, offset),
  };
}

/** Deletes the records of a partition below an offset, as retention does. */
export async function deleteBefore(
  { brokers, namespace }: KafkaLogOptions,
  topic: string,
  partition: number,
  offset: bigint,
): Promise<void> {
  const admin = adminOf(brokers);
  await admin.connect();
  const partitions = [{ partition, offset: offset.toString() }];
  await admin.fetchTopicMetadata({ topics: [`${namespace}.${topic}`] }); // or the next call knows no leader
  await admin.deleteTopicRecords({ topic: `${namespace}.${topic}`, partitions });
  await admin.disconnect();
}

/** A client of its own, to look at the brokers from outside. */
export function adminOf(brokers: readonly string[]) {
  return new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
}

export type { KafkaLog };
