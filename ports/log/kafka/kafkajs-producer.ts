import kafkajs from 'kafkajs';
import type { Producer } from 'kafkajs';
import { LogUnavailable, RecordTooLarge, type FreshetError } from '../../../runtime/errors.ts';
import type { Offset } from '../log.ts';
import { faultType, kafkaError } from './classify-error.ts';
import { RETRY, type KafkaConnection } from './connection.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import type { PlacedRecord, RecordProducer } from './record-producer.ts';

/** One call of `produce`, waiting for its request. */
interface Waiting {
  readonly records: readonly PlacedRecord[];
  readonly bytes: number;
  resolve(offsets: readonly Offset[]): void;
  reject(error: unknown): void;
}

/** Tries to learn who leads a partition that was added a moment ago, and the pause after the first, ms. */
const MAX_ATTEMPTS_NEW_PARTITION = 8;
const PAUSE_NEW_PARTITION_MS = 50;
/** A request takes calls up to here. kafkajs copies the list of a partition for every record of it, so long lists cost squares. */
const MAX_REQUEST_RECORDS = 500;
const MAX_REQUEST_BYTES = 4_194_304;
/** Lengths, times and offsets of a record in a batch; a few more than there can be. */
const RECORD_OVERHEAD_BYTES = 64;
/** Bytes that may wait; above it callers are refused, so that a burst cannot fill the memory. */
const MAX_WAITING_BYTES = 134_217_728;
/** From here on a value is compressed: below, gzip costs more time than the bytes that it saves (load-tests/log-clients.ts). */
const COMPRESSED_VALUE_BYTES = 65_536;

/**
 * The producer of kafkajs. One request at a time: when a connection breaks, kafkajs takes the sequence numbers of the request back, and
 * with a second one under way the broker would take that for a repetition of the first and drop it. While a request is under way,
 * calls gather for the next one, which is also what makes batches. After a request that failed for good, its numbers are in doubt: the
 * producer is replaced by one with a new identity.
 */
export class KafkajsProducer implements RecordProducer {
  readonly #connection: KafkaConnection;
  readonly #options: FilledKafkaLogOptions;
  #producer: Promise<Producer> | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #draining: Promise<void> | undefined;
  #isClosed = false;

  constructor(connection: KafkaConnection, options: FilledKafkaLogOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  async produce(records: readonly PlacedRecord[], signal?: AbortSignal): Promise<readonly Offset[]> {
    if (this.#isClosed) throw new LogUnavailable('the log is closed');
    const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES)
      throw new LogUnavailable(`${this.#waitingBytes} bytes wait to be appended already`);
    let abandon = (): void => undefined;
    try {
      return await new Promise<readonly Offset[]>((resolve, reject) => {
        const call: Waiting = { records, bytes, resolve, reject };
        this.#waiting.push(call);
        this.#waitingBytes += bytes;
        abandon = () => this.#abandon(call, signal?.reason);
        signal?.addEventListener('abort', abandon, { once: true });
        this.#draining ??= this.#drain();
      });
    } finally {
      signal?.removeEventListener('abort', abandon);
    }
  }

  /** Waits for the calls that were made. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#draining;
    await this.#replace();
  }

  /** A call that has not been sent is taken back; one that has gets no answer any more. */
  #abandon(call: Waiting, reason: unknown): void {
    call.reject(reason);
    const index = this.#waiting.indexOf(call);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#waitingBytes -= call.bytes;
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // calls of the same turn come along
    while (this.#waiting.length > 0) {
      const calls = this.#takeCalls();
      await this.#sendCalls(calls);
      for (const { bytes } of calls) this.#waitingBytes -= bytes;
    }
    this.#draining = undefined;
  }

  #takeCalls(): Waiting[] {
    let records = 0;
    let bytes = 0;
    let calls = 0;
    for (const call of this.#waiting) {
      records += call.records.length;
      bytes += call.bytes;
      if (calls > 0 && (records > MAX_REQUEST_RECORDS || bytes > MAX_REQUEST_BYTES)) break;
      calls++;
    }
    return this.#waiting.splice(0, calls);
  }

  async #sendCalls(calls: readonly Waiting[]): Promise<void> {
    try {
      const offsets = await this.#sendSlices(calls.flatMap(({ records }) => records));
      let from = 0;
      for (const call of calls) call.resolve(offsets.slice(from, (from += call.records.length)));
    } catch (error) {
      // A record that the broker refuses must not take its neighbours down: each call is sent alone.
      if (error instanceof RecordTooLarge && calls.length > 1) for (const call of calls) await this.#sendCalls([call]);
      else for (const call of calls) call.reject(error);
    }
  }

  /** A call that is larger than a request goes as several, in order; a partition's batch in one request stays below its limit. */
  async #sendSlices(records: readonly PlacedRecord[]): Promise<readonly Offset[]> {
    const offsets: Offset[] = [];
    for (let from = 0; from < records.length;) {
      let bytes = 0;
      let to = from;
      for (let record = records[to]; record && to - from < MAX_REQUEST_RECORDS; record = records[++to]) {
        const size = record.bytes + RECORD_OVERHEAD_BYTES;
        if (to > from && bytes + size > Math.min(MAX_REQUEST_BYTES, record.maxBatchBytes)) break;
        bytes += size;
      }
      offsets.push(...(await this.#send(records.slice(from, to))));
      from = to;
    }
    return offsets;
  }

  async #send(records: readonly PlacedRecord[], attempt = 1): Promise<readonly Offset[]> {
    const sent = await this.#sendOnce(records);
    const left = records.filter((_, index) => sent[index] === undefined);
    if (left.length === 0) return sent.flatMap((offset) => (offset === undefined ? [] : [offset]));
    // kafkajs leaves out, without a word, partitions that its metadata does not know yet: a new client asks for it anew.
    await this.#replace();
    if (attempt === MAX_ATTEMPTS_NEW_PARTITION)
      throw new LogUnavailable(`Kafka does not tell who leads ${left[0]?.topic}/${left[0]?.partition}`);
    await this.#options.clock.sleep(PAUSE_NEW_PARTITION_MS * attempt);
    const later = [...(await this.#send(left, attempt + 1))];
    return sent.map((offset) => {
      const found = offset ?? later.shift();
      if (found === undefined) throw new TypeError('a record was neither sent nor left');
      return found;
    });
  }

  /** An offset for each record; undefined for those of partitions that the client has not sent to. */
  async #sendOnce(records: readonly PlacedRecord[]): Promise<readonly (Offset | undefined)[]> {
    const byTopic = new Map<string, PlacedRecord[]>();
    for (const record of records) {
      const list = byTopic.get(record.topic);
      if (list) list.push(record);
      else byTopic.set(record.topic, [record]);
    }
    try {
      this.#producer ??= this.#open();
      const producer = await this.#producer;
      const replies = await producer.sendBatch({
        acks: -1,
        timeout: this.#options.requestTimeoutMs,
        compression: this.#compression(records),
        topicMessages: Array.from(byTopic, ([topic, list]) => ({
          topic,
          messages: list.map(({ partition, key, value, headers }) => ({ partition, key, value, headers })),
        })),
      });
      const next = new Map(
        replies.map(({ topicName, partition, baseOffset }) => [`${topicName}/${partition}`, BigInt(baseOffset ?? 0)]),
      );
      return records.map(({ topic, partition }) => {
        const place = `${topic}/${partition}`;
        const offset = next.get(place);
        if (offset === undefined) return undefined;
        next.set(place, offset + 1n);
        return offset as Offset;
      });
    } catch (error) {
      await this.#replace();
      throw this.#classify(error, records);
    }
  }

  #compression(records: readonly PlacedRecord[]): number {
    const pays = records.some(({ value }) => (value?.byteLength ?? 0) >= COMPRESSED_VALUE_BYTES);
    return pays && this.#options.compression !== 'none' ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None;
  }

  #classify(error: unknown, records: readonly PlacedRecord[]): FreshetError {
    const type = faultType(error);
    if (type !== 'MESSAGE_TOO_LARGE' && type !== 'RECORD_LIST_TOO_LARGE')
      return kafkaError(error, 'append records', this.#options.brokers);
    const largest = records.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    return new RecordTooLarge(
      `the record ${largest.key.toString()} has ${largest.bytes} bytes, more than the topic ${largest.topic} takes; ` +
        'raise max.message.bytes of the topic',
      { cause: error },
    );
  }

  async #open(): Promise<Producer> {
    const producer = this.#connection.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: this.#options.metadataMaxAgeMs,
      retry: RETRY,
      createPartitioner: () => (args) => args.message.partition ?? 0,
    });
    await producer.connect();
    return producer;
  }

  async #replace(): Promise<void> {
    const former = this.#producer;
    this.#producer = undefined;
    const producer = await former?.catch(() => undefined);
    // What it still has under way is not waited for.
    void producer?.disconnect().catch(() => undefined);
  }
}
