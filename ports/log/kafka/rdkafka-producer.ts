import type { ConnectionOptions } from 'node:tls';
import { InvalidConfig, LogUnavailable, RecordTooLarge, type FreshetError } from '../../../runtime/errors.ts';
import type { Offset } from '../log.ts';
import type { NativeClient, NativeError, NativeProducer } from './native-client.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import type { PlacedRecord, RecordProducer } from './record-producer.ts';
import { BATCH_OVERHEAD_BYTES } from './topics.ts';

/** Waits so long for a batch to fill, ms: four times kafkajs' rate in load-tests/log-clients.ts, and a lone record is hardly late. */
const LINGER_MS = 2;
/** How often reports are collected while records are under way, ms. */
const POLL_MS = 1;
/** After so long without an acknowledgement a record has failed, ms; as long as kafkajs tries. */
const DELIVERY_TIMEOUT_MS = 20_000;
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_QUEUED_KILOBYTES = 131_072;

// Error codes, https://github.com/confluentinc/librdkafka/blob/v2.12.0/src/rdkafka.h
const QUEUE_FULL = -184;
const MESSAGE_TOO_LARGE = 10;
const REFUSED: ReadonlySet<number> = new Set([
  29 /* topic */, 31 /* cluster */, 58 /* SASL */, -169 /* authentication */,
]);

/** A value without bytes that has an address: one without is sent as null, which is a tombstone. */
const EMPTY = Buffer.alloc(1).subarray(0, 0);

/** The records of one call that have no report yet. */
interface Call {
  readonly records: readonly PlacedRecord[];
  readonly offsets: Offset[];
  left: number;
  error: FreshetError | undefined;
  settle(): void;
}

/** Where a record stands in its call; travels with the record through librdkafka. */
interface Ticket {
  readonly call: Call;
  readonly index: number;
}

/** The producer of librdkafka: idempotent, many requests under way. */
export class RdkafkaProducer implements RecordProducer {
  readonly #client: NativeClient;
  readonly #options: FilledKafkaLogOptions;
  readonly #other: RecordProducer;
  readonly #calls = new Set<Call>();
  #producer: Promise<NativeProducer> | undefined;
  #polling: Promise<void> | undefined;
  #isClosed = false;

  /** @param other carries what node-rdkafka cannot: it cuts a header at a NUL. */
  constructor(client: NativeClient, options: FilledKafkaLogOptions, other: RecordProducer) {
    this.#other = other;
    this.#client = client;
    this.#options = options;
  }

  async produce(records: readonly PlacedRecord[], signal?: AbortSignal): Promise<readonly Offset[]> {
    if (this.#isClosed) throw new LogUnavailable('the log is closed');
    if (records.some(({ headers }) => Object.entries(headers).flat().join('').includes('\0')))
      return this.#other.produce(records, signal);
    this.#producer ??= this.#open();
    const producer = await this.#producer.catch((error: unknown) => {
      this.#producer = undefined;
      throw error;
    });
    signal?.throwIfAborted();
    let stop = (): void => undefined;
    try {
      return await new Promise<readonly Offset[]>((resolve, reject) => {
        const call: Call = {
          records,
          offsets: Array.from(records, () => 0n as Offset),
          left: records.length,
          error: undefined,
          settle: () => (call.error ? reject(call.error) : resolve(call.offsets)),
        };
        stop = () => reject(signal?.reason as Error);
        signal?.addEventListener('abort', stop, { once: true });
        this.#hand(producer, call);
      });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Waits for the records that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#polling;
    const producer = await this.#producer?.catch(() => undefined);
    if (producer) await new Promise<void>((resolve) => producer.disconnect(resolve));
    await this.#other[Symbol.asyncDispose]();
  }

  /** All records of a call in one turn: those of other calls cannot come between them. */
  #hand(producer: NativeProducer, call: Call): void {
    this.#calls.add(call);
    call.records.forEach((record, index) => {
      const { topic, partition, key, value, headers } = record;
      const pairs = Object.entries(headers).map(([name, text]) => ({ [name]: text }));
      try {
        // Once one has failed the following ones would overtake it.
        if (call.error) this.#report(call, index, undefined, call.error);
        else
          producer.produce(
            topic,
            partition,
            value?.byteLength === 0 ? EMPTY : value,
            key,
            null,
            { call, index } satisfies Ticket,
            pairs,
          );
      } catch (error) {
        this.#report(call, index, undefined, this.#classify(error as NativeError, record));
      }
    });
    this.#polling ??= this.#poll(producer);
  }

  #report(call: Call, index: number, offset: number | undefined, error: FreshetError | undefined): void {
    if (error) call.error ??= error;
    else call.offsets[index] = BigInt(offset ?? 0) as Offset;
    if (--call.left > 0) return;
    this.#calls.delete(call);
    call.settle();
  }

  async #poll(producer: NativeProducer): Promise<void> {
    while (this.#calls.size > 0) {
      producer.poll();
      if (this.#calls.size > 0) await this.#options.clock.sleep(POLL_MS);
    }
    this.#polling = undefined;
  }

  async #open(): Promise<NativeProducer> {
    const options = this.#options;
    const producer = new this.#client.Producer({
      ...nativeConfig(options),
      ...producerConfig(options),
      dr_cb: true,
    });
    producer.on('delivery-report', (error, { opaque, offset }) => {
      const { call, index } = opaque as Ticket;
      const record = call.records[index];
      this.#report(call, index, offset, error && record ? this.#classify(error, record) : undefined);
    });
    producer.on('event.error', (error) => {
      options.logger.debug('librdkafka says something.', { code: error.code, message: error.message });
      // A fatal error is the end of this producer's identity; the next call begins with a new one.
      if (error.isFatal) this.#producer = undefined;
    });
    await new Promise<void>((resolve, reject) => {
      producer.connect({ timeout: CONNECT_TIMEOUT_MS }, (error) => {
        if (!error) resolve();
        else producer.disconnect(() => reject(this.#classify(error)));
      });
    });
    return producer;
  }

  #classify(error: NativeError, record?: PlacedRecord): FreshetError {
    const { brokers } = this.#options;
    const options = { cause: error };
    if (error.code === MESSAGE_TOO_LARGE && record)
      return new RecordTooLarge(
        `the record ${record.key.toString()} has ${record.bytes} bytes, more than the topic ${record.topic} takes; ` +
          'raise max.message.bytes of the topic',
        options,
      );
    if (REFUSED.has(error.code))
      return new InvalidConfig(
        `cannot append records: Kafka refuses it (${error.message}); check credentials and rights`,
        options,
      );
    if (error.code === QUEUE_FULL) return new LogUnavailable('too many records wait to be appended already', options);
    return new LogUnavailable(
      `cannot append records: Kafka at ${brokers.join(', ')} cannot be reached (${error.message}); check that it runs and the address`,
      options,
    );
  }
}

/** What every client of librdkafka is told. */
export function nativeConfig(options: FilledKafkaLogOptions): Record<string, unknown> {
  const { brokers, clientId, ssl, sasl } = options;
  const tls = typeof ssl === 'object' ? ssl : undefined;
  const protocol = `${sasl ? 'sasl_' : ''}${ssl ? 'ssl' : 'plaintext'}`;
  const credentials =
    sasl && 'username' in sasl ? { 'sasl.username': sasl.username, 'sasl.password': sasl.password } : {};
  return {
    'metadata.broker.list': brokers.join(','),
    'client.id': clientId,
    'security.protocol': protocol,
    'allow.auto.create.topics': false,
    'socket.keepalive.enable': true,
    ...(sasl && { 'sasl.mechanisms': sasl.mechanism.toUpperCase(), ...credentials }),
    ...(tls?.ca && { 'ssl.ca.pem': pemOf(tls.ca) }),
    ...(tls?.cert && { 'ssl.certificate.pem': pemOf(tls.cert) }),
    ...(tls?.key && { 'ssl.key.pem': pemOf(tls.key) }),
  };
}

const producerConfig = (options: FilledKafkaLogOptions): Record<string, unknown> => ({
  'enable.idempotence': true,
  'linger.ms': LINGER_MS,
  'message.max.bytes': options.maxRecordBytes + BATCH_OVERHEAD_BYTES,
  'message.timeout.ms': DELIVERY_TIMEOUT_MS,
  'queue.buffering.max.kbytes': MAX_QUEUED_KILOBYTES,
});

/** Certificates and keys as librdkafka takes them: one text. Passphrases per key are not supported there. */
function pemOf(source: ConnectionOptions['key']): string {
  return [source]
    .flat()
    .map((one) =>
      typeof one === 'string' || Buffer.isBuffer(one) ? one.toString() : (one as { pem: Buffer }).pem.toString(),
    )
    .join('\n');
}
