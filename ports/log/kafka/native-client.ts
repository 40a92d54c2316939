import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Logger } from '../../../runtime/logger.ts';

/** An error of librdkafka; negative codes are its own, others the protocol's. */
export interface NativeError {
  readonly code: number;
  readonly message: string;
  readonly isFatal?: boolean;
}

/** What became of one record. */
export interface DeliveryReport {
  readonly offset: number;
  readonly partition: number;
  readonly opaque: unknown;
}

/** The part of node-rdkafka's producer that is used here. */
export interface NativeProducer {
  connect(options: { readonly timeout: number }, callback: (error: NativeError | null) => void): unknown;
  produce(
    topic: string,
    partition: number,
    value: Buffer | null,
    key: Buffer,
    timestamp: number | null,
    opaque: unknown,
    headers: readonly Readonly<Record<string, string>>[],
  ): unknown;
  poll(): unknown;
  flush(timeoutMs: number, callback: (error: NativeError | null) => void): unknown;
  disconnect(callback: () => void): unknown;
  on(event: 'delivery-report', listener: (error: NativeError | null, report: DeliveryReport) => void): unknown;
  on(event: 'event.error', listener: (error: NativeError) => void): unknown;
}

/** The part of the package node-rdkafka that is used here. It is not a dependency: it compiles for minutes and takes 0.5 GB. */
export interface NativeClient {
  readonly Producer: new (
    config: Readonly<Record<string, unknown>>,
    topicConfig?: Readonly<Record<string, unknown>>,
  ) => NativeProducer;
  readonly librdkafkaVersion: string;
}

/**
 * Loads node-rdkafka, as installed beside this package or in a folder.
 * @returns undefined, with one warning, when it cannot be loaded.
 */
export function loadNativeClient(nativePath: string | undefined, logger: Logger): NativeClient | undefined {
  const places = [import.meta.url, ...(nativePath === undefined ? [] : [join(nativePath, 'package.json')])];
  let reason = '';
  for (const place of places) {
    try {
      const client = createRequire(place)('node-rdkafka') as NativeClient;
      logger.info('Records go through librdkafka.', { version: client.librdkafkaVersion });
      return client;
    } catch (error) {
      reason = String((error as Error).message).split('\n')[0] ?? '';
    }
  }
  logger.warn('node-rdkafka cannot be loaded; records go through kafkajs, which appends more slowly.', { reason });
  return undefined;
}
