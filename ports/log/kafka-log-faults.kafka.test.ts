import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LogUnavailable, RecordTooLarge } from '../../runtime/errors.ts';
import { VERSION_HEADER } from '../../schemas/topics.ts';
import { adminOf, cuttableSockets, kafkaOptions, testBrokers } from './kafka-fixtures.ts';
import { openKafkaLog, type KafkaLog } from './kafka-log.ts';
import type { KafkaLogOptions } from './kafka/options.ts';
import { aRecord, aSubscription, after, bytes, numbered, take, textOf, texts } from './log-fixtures.ts';
import type { Log, LogReader, LogRecord, Offset } from './log.ts';

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

async function aLog(options: Partial<KafkaLogOptions> = {}, partitions = 1): Promise<KafkaLog> {
  const log = await openKafkaLog(kafkaOptions(options));
  opened.push(log);
  await log.createTopics([
    { name: 'events', partitions, cleanup: 'delete' },
    { name: 'state', partitions, cleanup: 'compact' },
  ]);
  return log;
}

async function contents(log: Log, topic: string, partition = 0): Promise<readonly LogRecord[]> {
  return log.fetch({ topic, partition, offset: 0n as Offset }, 100_000);
}

const native = process.env['FRESHET_RDKAFKA_PATH'];

describe('a broker that is away', () => {
  it('is an error that may be repeated, and says what to look at', { timeout: 120_000 }, async () => {
    const log = await openKafkaLog(kafkaOptions({ brokers: ['127.0.0.1:1'] }));
    opened.push(log);
    const creating = log.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }]);
    await expect(creating).rejects.toThrow(/127\.0\.0\.1:1 .*check that it runs/);
    await expect(log.append([aRecord()])).rejects.toBeInstanceOf(LogUnavailable);
    const reading = take(log.subscribe(aSubscription()), 1);
    await expect(reading).rejects.toBeInstanceOf(LogUnavailable);
  });
});

describe('connections that break', () => {
  it('in the middle of appends lose nothing, repeat nothing and change no order', async () => {
    const sockets = cuttableSockets();
    const log = await aLog({ socketFactory: sockets.factory }, 2);
    const calls = 60;
    const underWay = new Set<Promise<unknown>>();
    for (let call = 0; call < calls; call++) {
      const appending = log
        .append([0, 1].flatMap((partition) => ['a', 'b'].map((half) => aRecord({ partition, text: `${call}${half}` }))))
        .finally(() => underWay.delete(appending));
      underWay.add(appending);
      if (underWay.size > 3) await Promise.race(underWay);
      if (call % 5 === 0) sockets.reset();
    }
    await Promise.all(underWay);
    for (const partition of [0, 1]) {
      const stored = texts(await contents(log, 'events', partition));
      expect(stored).toEqual(Array.from({ length: calls }, (_, call) => [`${call}a`, `${call}b`]).flat());
    }
  });

  it('while a group reads bring every record, and take nothing back that was committed', async () => {
    const sockets = cuttableSockets();
    const log = await aLog({ socketFactory: sockets.factory });
    await log.append(numbered(300));
    const reader = log.subscribe(aSubscription({ maxBatchRecords: 10 }));
    opened.push(reader);
    const read: (string | null)[] = [];
    for await (const batch of reader.batches(new AbortController().signal)) {
      read.push(...texts(batch));
      sockets.reset();
      await reader.commit(after(batch));
      if (read.length >= 300) break;
    }
    expect(new Set(read)).toEqual(new Set(numbered(300).map(({ value }) => new TextDecoder().decode(value!))));
    expect((await log.describe(['events']))[0]?.groups).toEqual({ group: 300n });
  });
});

describe('a group whose members come and go', () => {
  it(
    'hands out every record, none after it was given up, and never commits backwards',
    { timeout: 120_000 },
    async () => {
      const log = await aLog({}, 8);
      const total = 20_000;
      for (let from = 0; from < total; from += 1_000)
        await log.append(
          Array.from({ length: 1_000 }, (_, i) => aRecord({ key: String(from + i), text: String(from + i) })),
        );
      const handedOut = new Map<string, number>();
      const done = new AbortController();
      const note = (batch: readonly LogRecord[]): void => {
        for (const record of batch) handedOut.set(textOf(record)!, (handedOut.get(textOf(record)!) ?? 0) + 1);
        if (handedOut.size === total) done.abort();
      };
      const stint = async (stayMs: number): Promise<void> => {
        await using reader = log.subscribe(aSubscription({ maxBatchRecords: 25 }));
        const stop = AbortSignal.any([done.signal, AbortSignal.timeout(stayMs)]);
        for await (const batch of reader.batches(stop)) {
          note(batch);
          await reader.commit(after(batch));
        }
      };
      const member = async (stayMs: number): Promise<void> => {
        while (!done.signal.aborted) await stint(stayMs);
      };
      const committed = new Map<string, bigint>();
      const backwards: string[] = [];
      const watch = async (): Promise<void> => {
        while (!done.signal.aborted)
          for (const { partition, groups } of await log.describe(['events'])) {
            const next = groups['group'] ?? 0n;
            if (next < (committed.get(`${partition}`) ?? 0n)) backwards.push(`${partition}: ${next}`);
            committed.set(`${partition}`, next);
          }
      };
      await Promise.all([member(60_000), member(300), member(450), watch()]);
      expect(backwards).toEqual([]);
      expect(handedOut.size).toBe(total);
      expect([...handedOut.values()].filter((times) => times > 1)).toEqual([]);
    },
  );

  it('keeps a member that takes longer for a batch than the session lasts', { timeout: 60_000 }, async () => {
    const sessionTimeoutMs = 1_500;
    const log = await aLog({ sessionTimeoutMs });
    await log.append(numbered(5));
    const slow = log.subscribe(aSubscription());
    const other = log.subscribe(aSubscription());
    opened.push(slow, other);
    const begun = performance.now();
    for await (const batch of slow.batches(new AbortController().signal)) {
      const stop = new AbortController();
      const others: LogRecord[] = [];
      const reading = drain(other, others, stop.signal);
      await vi.waitUntil(() => performance.now() - begun > 3 * sessionTimeoutMs, { timeout: 30_000 });
      await slow.commit(after(batch));
      stop.abort();
      await reading;
      expect(others).toEqual([]);
      break;
    }
    expect((await log.describe(['events']))[0]?.groups).toEqual({ group: 5n });
  });

  it('refuses the commit of a member that was taken for dead', async () => {
    const sockets = cuttableSockets();
    const options = kafkaOptions({ sessionTimeoutMs: 1_500 });
    const zombie = await openKafkaLog({ ...options, socketFactory: sockets.factory });
    const log = await openKafkaLog(options);
    opened.push(zombie, log);
    await log.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }]);
    await log.append(numbered(5));
    const former = zombie.subscribe(aSubscription());
    opened.push(former);
    for await (const batch of former.batches(new AbortController().signal)) {
      sockets.cut();
      const successor = log.subscribe(aSubscription({ maxBatchRecords: 2 }));
      opened.push(successor);
      await take(successor, 2);
      sockets.mend();
      await former.commit(after(batch)).catch((error: unknown) => expect(error).toBeInstanceOf(LogUnavailable));
      break;
    }
    expect((await log.describe(['events']))[0]?.groups).toEqual({ group: 2n });
  });
});

describe('connections that are cut without a word', () => {
  it('are given up when nothing comes back, for appends, reads and looks alike', { timeout: 60_000 }, async () => {
    const sockets = cuttableSockets();
    const log = await aLog({ socketFactory: sockets.factory, requestTimeoutMs: 2_000, sessionTimeoutMs: 2_000 });
    await log.append(numbered(3));
    const reader = log.subscribe(aSubscription());
    opened.push(reader);
    const read: LogRecord[] = [];
    const stop = new AbortController();
    const reading = drain(reader, read, stop.signal).catch((error: unknown) => error);
    await vi.waitUntil(() => read.length === 3);
    sockets.silence();
    const again = async <T>(attempt: () => Promise<T>): Promise<T> => {
      try {
        return await attempt();
      } catch (error) {
        expect(error).toBeInstanceOf(LogUnavailable);
        return again(attempt);
      }
    };
    await again(() => log.append(numbered(3)));
    expect(await again(() => log.describe(['events']))).toHaveLength(1);
    expect((await again(() => contents(log, 'events'))).length).toBeGreaterThanOrEqual(6);
    stop.abort();
    await reading;
  });
});

describe('a process that starts where one was killed', () => {
  it('takes its places at once: nobody waits until the session of the dead one is over', async () => {
    const sockets = cuttableSockets();
    const options = kafkaOptions({ sessionTimeoutMs: 300_000 });
    const killed = await openKafkaLog({ ...options, socketFactory: sockets.factory });
    opened.push(killed);
    await killed.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }]);
    await killed.append(numbered(5));
    const former = killed.subscribe(aSubscription());
    opened.push(former);
    for await (const _ of former.batches(new AbortController().signal)) {
      sockets.cut();
      const log = await openKafkaLog(options);
      opened.push(log);
      const successor = log.subscribe(aSubscription());
      opened.push(successor);
      expect(await take(successor, 5)).toHaveLength(5);
      break;
    }
  });
});

describe('partitions that are added', () => {
  it(
    'in the middle of a stream are read, and keys keep to one partition from then on',
    { timeout: 60_000 },
    async () => {
      const log = await aLog({ metadataMaxAgeMs: 200 }, 4);
      const reader = log.subscribe(aSubscription());
      opened.push(reader);
      const read: LogRecord[] = [];
      const stop = new AbortController();
      const reading = drain(reader, read, stop.signal);
      const keys = Array.from({ length: 64 }, (_, i) => `key ${i}`);
      await log.append(keys.map((key) => aRecord({ key, text: `${key} before` })));
      await log.createTopics([{ name: 'events', partitions: 8, cleanup: 'delete' }]);
      await log.append(keys.map((key) => aRecord({ key, text: `${key} after` })));
      await vi.waitUntil(() => read.length === 2 * keys.length, { timeout: 30_000 });
      stop.abort();
      await reading;
      const afterwards = read.filter((record) => textOf(record)!.endsWith('after'));
      expect(new Set(afterwards.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
      expect(texts(read).map(String).toSorted()).toEqual(
        keys.flatMap((key) => [`${key} after`, `${key} before`]).toSorted(),
      );
    },
  );
});

describe('a record that is too large', () => {
  it('is refused by key and size before it is sent', async () => {
    const log = await aLog({ maxRecordBytes: 10_000 });
    const appending = log.append([aRecord({ key: 'huge', value: new Uint8Array(20_000) })]);
    await expect(appending).rejects.toThrow(/record huge of events has 20004 bytes, more than 10000/);
    await expect(appending).rejects.toBeInstanceOf(RecordTooLarge);
    expect(await contents(log, 'events')).toEqual([]);
  });

  const clients = [
    ['kafkajs', {}],
    ['rdkafka', { client: 'rdkafka', ...(native !== undefined && { nativePath: native }) }],
  ] as const;
  it.each(clients)(
    'for a topic of somebody else is refused by what that takes, without its neighbours (%s)',
    async (_, options) => {
      const { namespace } = await aTopicOfSomebodyElse({ 'max.message.bytes': '20000' });
      const log = await openKafkaLog(kafkaOptions({ ...options, namespace }));
      opened.push(log);
      const random = Uint8Array.from({ length: 50_000 }, (__, i) => (i * 7_919) % 251);
      const outcomes = await Promise.allSettled([
        log.append([aRecord({ topic: 'theirs', text: 'before' })]),
        log.append([aRecord({ topic: 'theirs', key: 'huge', value: random })]),
        log.append([aRecord({ topic: 'theirs', text: 'after' })]),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((outcomes[1] as PromiseRejectedResult).reason).toBeInstanceOf(RecordTooLarge);
      expect(String((outcomes[1] as PromiseRejectedResult).reason)).toContain(
        'the record huge of theirs has 50004 bytes',
      );
      expect(texts(await contents(log, 'theirs'))).toEqual(['before', 'after']);
    },
  );
});

describe('topics', () => {
  it('keep the settings that an operator gave them', async () => {
    const { namespace, admin } = await aTopicOfSomebodyElse({ 'max.message.bytes': '2000000', 'retention.ms': '5000' });
    const log = await openKafkaLog(kafkaOptions({ namespace }));
    opened.push(log);
    await log.createTopics([{ name: 'theirs', partitions: 2, cleanup: 'delete', retentionMs: 1 }]);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: `${namespace}.theirs`, configNames: ['max.message.bytes', 'retention.ms'] }],
    });
    const settings = Object.fromEntries(
      resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
    expect(settings).toEqual({ 'max.message.bytes': '2000000', 'retention.ms': '5000' });
    expect(await log.describe(['theirs'])).toHaveLength(2);
  });
});

describe('the newest record of a key', () => {
  const appendState = (log: Log, key: string, text: string | null, version?: bigint) =>
    log.append([
      { topic: 'state', key, value: text === null ? null : bytes(text), ...(version !== undefined && { version }) },
    ]);

  it('is appended again when an older one was appended behind it, so that compaction keeps it', async () => {
    const log = await aLog();
    await appendState(log, 'a', 'new', 7n);
    await appendState(log, 'a', 'late', 5n);
    await appendState(log, 'gone', null, 9n);
    await appendState(log, 'gone', 'late', 8n);
    expect(texts((await log.latest('state', ['a', 'gone'])).filter((one) => one !== undefined))).toEqual(['new']);
    await vi.waitUntil(async () => (await contents(log, 'state')).length === 6);
    const [repaired, tombstone] = (await contents(log, 'state')).slice(-2);
    expect(repaired).toMatchObject({ key: 'a', headers: { [VERSION_HEADER]: '7' } });
    expect(textOf(repaired!)).toBe('new');
    expect(tombstone).toMatchObject({ key: 'gone', value: null, headers: { [VERSION_HEADER]: '9' } });
    await log.latest('state', ['a']);
    await appendState(log, 'b', '1', 1n);
    expect((await log.latest('state', ['a', 'b'])).map((one) => one && textOf(one))).toEqual(['new', '1']);
    expect(await contents(log, 'state')).toHaveLength(7);
  });

  it('is told by every process, whichever appended it', async () => {
    const options = kafkaOptions();
    const log = await aLog(options, 3);
    const other = await openKafkaLog({ ...kafkaOptions(), namespace: options.namespace! });
    opened.push(other);
    for (let i = 0; i < 20; i++) {
      await appendState(log, 'key', String(i));
      expect((await other.latest('state', ['key'])).map((one) => one && textOf(one))).toEqual([String(i)]);
    }
  });

  it('is known after a restart, without reading the topic again', async () => {
    const options = kafkaOptions();
    const log = await aLog(options);
    await appendState(log, 'a', '1');
    await log.latest('state', ['a']);
    await log[Symbol.asyncDispose]();
    const sockets = cuttableSockets();
    const again = await openKafkaLog({ ...options, socketFactory: sockets.factory });
    opened.push(again);
    await appendState(again, 'b', '2');
    expect(texts((await again.latest('state', ['a', 'b'])).filter((one) => one !== undefined))).toEqual(['1', '2']);
  });

  it('is read again when the topic was made anew', async () => {
    const options = kafkaOptions();
    const log = await aLog(options);
    for (const key of ['a', 'b', 'c']) await appendState(log, key, 'former');
    await log.latest('state', ['a']);
    await log[Symbol.asyncDispose]();
    const admin = adminOf(options.brokers);
    await admin.connect();
    await admin.deleteTopics({ topics: [`${options.namespace}.state`] });
    await vi.waitUntil(async () => !(await admin.listTopics()).includes(`${options.namespace}.state`), {
      timeout: 10_000,
    });
    await admin.disconnect();
    const again = await aLog(options);
    await appendState(again, 'a', 'present');
    for (const key of ['d', 'e', 'f']) await appendState(again, key, 'present');
    expect((await again.latest('state', ['a', 'b'])).map((one) => one && textOf(one))).toEqual(['present', undefined]);
  });
});

async function aTopicOfSomebodyElse(settings: Readonly<Record<string, string>>) {
  const namespace = `t${randomUUID()}`;
  const admin = adminOf(testBrokers());
  await admin.connect();
  opened.push({ [Symbol.asyncDispose]: () => admin.disconnect() });
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic: `${namespace}.theirs`, numPartitions: 1, configEntries }] });
  return { namespace, admin };
}

async function drain(reader: LogReader, read: LogRecord[], signal: AbortSignal): Promise<void> {
  for await (const batch of reader.batches(signal)) {
    read.push(...batch);
    await reader.commit(after(batch));
  }
}
