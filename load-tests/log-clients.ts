import kafkajs from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openKafkaLog } from '../ports/log/kafka-log.ts';
import type { AppendRecord, Offset } from '../ports/log/log.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';

/*
 * Appends and reads through the log on Kafka, by both clients, beside the bare clients on the same broker in the same run:
 * `node dist/load-tests/log-clients.js --records 50000 --rounds 3`. Needs KAFKA_TEST_URL (`npm run engines`); librdkafka comes from
 * FRESHET_RDKAFKA_PATH and is left out when it is not there. Prints minimum / median / maximum, CPU seconds and the load average.
 */
const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '2048' },
    only: { type: 'string' },
  },
});
const [count, rounds, bytes] = [Number(values.records), Number(values.rounds), Number(values.bytes)];
const brokers = (process.env['KAFKA_TEST_URL'] ?? '127.0.0.1:9092').split(',');
const nativePath = process.env['FRESHET_RDKAFKA_PATH'];
const CALL_RECORDS = 500;
const CALLS_UNDER_WAY = 4;
const folder = mkdtempSync(join(tmpdir(), 'freshet-clients-'));
const logger = createLogger('error');
const WORDS = ['river', 'delta', 'spring', 'basin', 'flood', 'stream', 'current', 'meander', 'estuary', 'tide'];

/** Text that compresses about as documents do. */
function text(size: number): Buffer {
  let words = '';
  while (words.length < size)
    words += `${WORDS[Math.floor(systemRandom() * WORDS.length)]}${Math.floor(systemRandom() * 97)} `;
  return Buffer.from(words.slice(0, size));
}
const bodies = Array.from({ length: 64 }, () => text(bytes));

interface Contestant {
  readonly name: string;
  /** Appends everything, then reads it back; ms of each. */
  readonly run: (topic: string) => Promise<{ readonly produceMs: number; readonly consumeMs: number }>;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = systemClock.monotonicMs();
  await work();
  return systemClock.monotonicMs() - begun;
}

/** Runs `call` for every group of records, a few at a time. */
async function inGroups(call: (from: number, to: number) => Promise<unknown>): Promise<void> {
  const underWay = new Set<Promise<unknown>>();
  for (let from = 0; from < count; from += CALL_RECORDS) {
    const running: Promise<unknown> = call(from, Math.min(count, from + CALL_RECORDS)).finally(() =>
      underWay.delete(running),
    );
    underWay.add(running);
    if (underWay.size >= CALLS_UNDER_WAY) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

const keyOf = (n: number): string => `helpdesk/public.articles/${n}`;
const bodyOf = (n: number): Buffer => bodies[n % bodies.length] ?? Buffer.alloc(0);

function throughLog(client: 'kafkajs' | 'rdkafka'): Contestant {
  return {
    name: `freshet, ${client}`,
    async run(topic) {
      await using log = await openKafkaLog({
        brokers,
        client,
        ...(nativePath !== undefined && { nativePath }),
        stateDir: join(folder, randomUUID()),
        clock: systemClock,
        random: systemRandom,
        logger,
      });
      await log.createTopics([{ name: topic, partitions: 4, cleanup: 'delete' }]);
      const produceMs = await timed(() =>
        inGroups((from, to) =>
          log.append(
            Array.from({ length: to - from }, (_, i): AppendRecord => ({
              topic,
              key: keyOf(from + i),
              value: bodyOf(from + i),
            })),
          ),
        ),
      );
      await using reader = log.subscribe({
        group: topic,
        topics: [topic],
        maxBatchRecords: CALL_RECORDS,
        maxBatchBytes: 4_194_304,
        lingerMs: 0,
      });
      let read = 0;
      let begun = 0;
      for await (const batch of reader.batches(new AbortController().signal)) {
        if (read === 0) begun = systemClock.monotonicMs(); // joining is not measured
        read += batch.length;
        const next = new Map(batch.map(({ partition, offset }) => [partition, (offset + 1n) as Offset]));
        await reader.commit(Array.from(next, ([partition, offset]) => ({ topic, partition, next: offset })));
        if (read >= count) break;
      }
      return { produceMs, consumeMs: systemClock.monotonicMs() - begun };
    },
  };
}

/** kafkajs as its manual shows it: idempotent, batches of 500, eachBatch. */
const bareKafkajs: Contestant = {
  name: 'bare kafkajs',
  async run(topic) {
    const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 4 }] });
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const produceMs = await timed(async () => {
      for (let from = 0; from < count; from += CALL_RECORDS)
        await producer.send({
          topic,
          messages: Array.from({ length: Math.min(count, from + CALL_RECORDS) - from }, (_, i) => ({
            key: keyOf(from + i),
            value: bodyOf(from + i),
          })),
        });
    });
    const consumer = kafka.consumer({ groupId: topic });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    let read = 0;
    let begun = 0;
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachBatch: async ({ batch }) => {
          if (read === 0) begun = systemClock.monotonicMs();
          read += batch.messages.length;
          if (read >= count) resolve();
        },
      });
    });
    const consumeMs = systemClock.monotonicMs() - begun;
    await Promise.all([producer.disconnect(), consumer.disconnect(), admin.disconnect()]);
    return { produceMs, consumeMs };
  },
};

interface BareProducer {
  connect(options: object, done: () => void): void;
  produce(topic: string, partition: null, value: Buffer, key: string): void;
  flush(timeoutMs: number, done: () => void): void;
  poll(): void;
  disconnect(done: () => void): void;
}
interface BareConsumer {
  connect(options: object, done: () => void): void;
  subscribe(topics: string[]): void;
  consume(count: number, done: (error: unknown, messages?: readonly unknown[]) => void): void;
  setDefaultConsumeTimeout(ms: number): void;
  disconnect(done: () => void): void;
}

/** node-rdkafka as its manual shows it: idempotent, linger of 5 ms. */
function bareRdkafka(folderOfPackage: string): Contestant {
  const native = createRequire(join(folderOfPackage, 'package.json'))('node-rdkafka') as {
    Producer: new (config: object) => BareProducer;
    KafkaConsumer: new (config: object, topics: object) => BareConsumer;
  };
  const common = { 'metadata.broker.list': brokers.join(',') };
  return {
    name: 'bare rdkafka',
    async run(topic) {
      const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 4 }] });
      await admin.disconnect();
      const producer = new native.Producer({
        ...common,
        'enable.idempotence': true,
        'linger.ms': 5,
        'queue.buffering.max.messages': 500_000,
      });
      await new Promise<void>((resolve) => producer.connect({}, resolve));
      const produceMs = await timed(async () => {
        for (let n = 0; n < count; n++) {
          producer.produce(topic, null, bodyOf(n), keyOf(n));
          if (n % 10_000 === 9_999) await new Promise<void>((resolve) => producer.flush(30_000, resolve));
        }
        await new Promise<void>((resolve) => producer.flush(60_000, resolve));
      });
      const consumer = new native.KafkaConsumer({ ...common, 'group.id': topic }, { 'auto.offset.reset': 'earliest' });
      await new Promise<void>((resolve) => consumer.connect({}, resolve));
      consumer.setDefaultConsumeTimeout(20);
      consumer.subscribe([topic]);
      let begun = 0;
      for (let read = 0; read < count;) {
        const messages = await new Promise<readonly unknown[]>((resolve) =>
          consumer.consume(CALL_RECORDS, (_, some = []) => resolve(some)),
        );
        if (read === 0 && messages.length > 0) begun = systemClock.monotonicMs();
        read += messages.length;
      }
      const consumeMs = systemClock.monotonicMs() - begun;
      await new Promise<void>((resolve) => consumer.disconnect(resolve));
      await new Promise<void>((resolve) => producer.disconnect(resolve));
      return { produceMs, consumeMs };
    },
  };
}

const contestants = [
  throughLog('kafkajs'),
  bareKafkajs,
  ...(nativePath === undefined ? [] : [throughLog('rdkafka'), bareRdkafka(nativePath)]),
].filter(({ name }) => values.only === undefined || name.includes(values.only));
const results = new Map(
  contestants.map(({ name }) => [name, { produce: [] as number[], consume: [] as number[], cpu: [] as number[] }]),
);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
print(
  `${count} records of ${bytes} bytes, ${rounds} interleaved rounds, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`,
);
for (let round = 0; round < rounds; round++)
  for (const { name, run } of contestants) {
    const before = process.cpuUsage();
    const { produceMs, consumeMs } = await run(`freshet.clients-${randomUUID()}`);
    const { user, system } = process.cpuUsage(before);
    const result = results.get(name);
    result?.produce.push((1000 * count) / produceMs);
    result?.consume.push((1000 * count) / consumeMs);
    result?.cpu.push((user + system) / 1e6);
  }
const spread = (all: number[]): string => {
  const sorted = all.toSorted((a, b) => a - b);
  return [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)]
    .map((each) => Math.round(each ?? 0).toLocaleString('en'))
    .join(' / ');
};
for (const [name, { produce, consume, cpu }] of results)
  print(
    `${name.padEnd(18)} appends/s ${spread(produce).padEnd(28)} reads/s ${spread(consume).padEnd(28)} CPU s ${spread(cpu)}`,
  );
print(`load at the end ${loadavg()[0]?.toFixed(1)}`);
rmSync(folder, { recursive: true, force: true });
process.exit(0);
