import type { Offset } from '../log.ts';

/** A record whose partition is decided, as it goes to the broker. */
export interface PlacedRecord {
  /** By the broker's name. */
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Of key, value and headers. */
  readonly bytes: number;
  /** What the topic takes in one batch of a partition, bytes. */
  readonly maxBatchBytes: number;
}

/**
 * Carries records to the brokers: acknowledged by all copies that are in sync, repeated without duplicates while a broker is away,
 * never out of order.
 */
export interface RecordProducer extends AsyncDisposable {
  /**
   * Resolves with the offset of every record when all are durable. Records of one call that share a partition stand next to each other.
   * @throws RecordTooLarge, LogUnavailable
   */
  produce(records: readonly PlacedRecord[], signal?: AbortSignal): Promise<readonly Offset[]>;
}
