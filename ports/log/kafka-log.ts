import { InvalidConfig, NotFound, RecordTooLarge } from '../../runtime/errors.ts';
import { VERSION_HEADER } from '../../schemas/topics.ts';
import { kafkaConnection, type KafkaConnection } from './kafka/connection.ts';
import { FormerMembers } from './kafka/former-members.ts';
import { KafkajsMember } from './kafka/kafkajs-member.ts';
import { KafkajsProducer } from './kafka/kafkajs-producer.ts';
import { LatestViews } from './kafka/latest-views.ts';
import { loadNativeClient } from './kafka/native-client.ts';
import { namesIn, type Names } from './kafka/names.ts';
import { fillOptions, type FilledKafkaLogOptions, type KafkaLogOptions } from './kafka/options.ts';
import { PartitionSource } from './kafka/partition-source.ts';
import { RdkafkaProducer } from './kafka/rdkafka-producer.ts';
import { KafkaLogReader } from './kafka/reader.ts';
import type { PlacedRecord, RecordProducer } from './kafka/record-producer.ts';
import { BATCH_OVERHEAD_BYTES, KafkaTopics, type TopicShape } from './kafka/topics.ts';
import type {
  AppendRecord,
  Log,
  LogReader,
  LogRecord,
  PartitionState,
  RecordPlace,
  Subscription,
  TopicSpec,
} from './log.ts';
import { partitionOfKey } from './partition-of-key.ts';

/** The log on Apache Kafka. Records go through one of two clients; everything else through kafkajs. */
export class KafkaLog implements Log {
  readonly #options: FilledKafkaLogOptions;
  readonly #names: Names;
  readonly #connection: KafkaConnection;
  readonly #topics: KafkaTopics;
  readonly #producer: RecordProducer;
  readonly #source: PartitionSource;
  readonly #views: LatestViews;
  readonly #members: FormerMembers;
  readonly #process: string;
  readonly #readers = new Set<KafkaLogReader>();

  constructor(options: FilledKafkaLogOptions) {
    this.#options = options;
    this.#names = namesIn(options.namespace);
    this.#connection = kafkaConnection(options);
    const native = options.client === 'rdkafka' ? loadNativeClient(options.nativePath, options.logger) : undefined;
    const plain = new KafkajsProducer(this.#connection, options);
    this.#producer = native ? new RdkafkaProducer(native, options, plain) : plain;
    this.#source = new PartitionSource(() => this.#connection.cluster(), this.#names, options);
    this.#topics = new KafkaTopics(this.#connection, options, this.#names, this.#source);
    this.#members = new FormerMembers(options.stateDir, options.logger);
    this.#process = `${Math.floor(options.random() * 2 ** 48).toString(36)}`;
    this.#views = new LatestViews(options, this.#source, (records) => this.append(records));
  }

  async createTopics(topics: readonly TopicSpec[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#topics.create(topics, signal);
    for (const reader of this.#readers) reader.lookForTopics();
  }

  async append(records: readonly AppendRecord[], signal?: AbortSignal): Promise<readonly RecordPlace[]> {
    signal?.throwIfAborted();
    if (records.length === 0) return [];
    const shapes = new Map<string, TopicShape>();
    // Without a wait where the topics are known, so that calls keep their order.
    for (const { topic } of records)
      if (!shapes.has(topic)) shapes.set(topic, this.#topics.shape(topic) ?? (await this.#topics.learn(topic)));
    const placed = records.map((record) => this.#place(record, shapes.get(record.topic)));
    signal?.throwIfAborted();
    const offsets = await this.#producer.produce(placed, signal);
    return placed.map(({ partition }, index) => {
      const offset = offsets[index];
      if (offset === undefined) throw new TypeError('the producer gave too few offsets');
      return { topic: records[index]?.topic ?? '', partition, offset };
    });
  }

  subscribe(subscription: Subscription): LogReader {
    const { group, topics } = subscription;
    const parts = {
      connection: this.#connection,
      options: this.#options,
      names: this.#names,
      process: this.#process,
      members: this.#members,
      group,
      topics,
    };
    const reader = new KafkaLogReader(
      this.#options.clock,
      subscription,
      (listener) => new KafkajsMember(parts, listener),
      () => this.#readers.delete(reader),
    );
    this.#readers.add(reader);
    return reader;
  }

  async fetch(from: RecordPlace, limit: number, signal?: AbortSignal): Promise<readonly LogRecord[]> {
    signal?.throwIfAborted();
    return this.#source.read(from, limit, signal);
  }

  async latest(
    topic: string,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (LogRecord | undefined)[]> {
    signal?.throwIfAborted();
    return keys.length === 0 ? [] : this.#views.latest(topic, keys, signal);
  }

  /** The bytes of partitions are not known, and groups are those of the prefix in the options. */
  async describe(topics: readonly string[] = [], signal?: AbortSignal): Promise<readonly PartitionState[]> {
    signal?.throwIfAborted();
    return this.#topics.describe(topics);
  }

  /** Forgets a group that will not read again; when it does, it begins anew. Idempotent. @throws LogUnavailable while it has members. */
  async forgetGroup(group: string): Promise<void> {
    await this.#topics.forgetGroup(group);
  }

  /** Ends all readers, waits for the appends that were made, and closes every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#readers].map((reader) => reader[Symbol.asyncDispose]()));
    await this.#producer[Symbol.asyncDispose]();
    await this.#views.close();
    await Promise.allSettled([this.#topics.close(), this.#source.close()]);
  }

  #place(record: AppendRecord, { partitions, maxBatchBytes } = { partitions: 0, maxBatchBytes: 0 }): PlacedRecord {
    const { topic, version } = record;
    const partition = record.partition ?? partitionOfKey(record.key, partitions);
    if (partition >= partitions) throw new NotFound(`topic ${topic} has no partition ${partition}`);
    const key = Buffer.from(record.key);
    const { value } = record;
    const headers =
      version === undefined ? (record.headers ?? {}) : { ...record.headers, [VERSION_HEADER]: version.toString() };
    let bytes = key.byteLength + (value?.byteLength ?? 0);
    for (const [name, text] of Object.entries(headers)) bytes += Buffer.byteLength(name) + Buffer.byteLength(text);
    const limit = Math.min(this.#options.maxRecordBytes, maxBatchBytes - BATCH_OVERHEAD_BYTES);
    if (bytes > limit)
      throw new RecordTooLarge(
        `the record ${record.key} of ${topic} has ${bytes} bytes, more than ${limit}; a larger max.message.bytes of the topic lets ` +
          'more through, up to the limit in the config',
      );
    return {
      topic: this.#names.toWire(topic),
      partition,
      key,
      value: value && Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      headers,
      bytes,
      maxBatchBytes,
    };
  }
}

/**
 * Connects to nothing yet: a broker that is away shows with the first call, as LogUnavailable.
 * @throws InvalidConfig when no broker is named.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  if (options.brokers.length === 0) throw new InvalidConfig('no Kafka broker is named; expected host:port');
  return new KafkaLog(fillOptions(options));
}
