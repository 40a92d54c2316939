import { describe, expect, it, vi } from 'vitest';
import { RecordsLost } from '../../runtime/errors.ts';
import {
  aRecord,
  aSubscription,
  after,
  firstBatch,
  logsOf,
  numbered,
  take,
  textOf,
  texts,
  type OpenedLog,
} from './log-fixtures.ts';
import type { LogReader, LogRecord, Offset } from './log.ts';

/** What the readers of every log must do. */
export function logReadersConformance(name: string, open: () => Promise<OpenedLog>): void {
  describe(`readers of a log: ${name}`, () => {
    const { fresh, reading } = logsOf(open);

    it('of a new group read from the start, each group for itself', async () => {
      const { log } = await fresh();
      await log.append(numbered(3));
      expect(texts(await take(reading(log, { group: 'one' }), 3))).toEqual(['0', '1', '2']);
      expect(texts(await take(reading(log, { group: 'two' }), 3))).toEqual(['0', '1', '2']);
    });

    it('go on after what the group has committed', async () => {
      const { log } = await fresh();
      await log.append(numbered(10));
      {
        await using reader = log.subscribe(aSubscription({ maxBatchRecords: 4 }));
        await take(reader, 4);
      }
      expect(texts(await take(reading(log), 6))).toEqual(['4', '5', '6', '7', '8', '9']);
    });

    it('bring again what was not committed', async () => {
      const { log } = await fresh();
      await log.append(numbered(3));
      const reader = reading(log);
      expect(texts(await firstBatch(reader))).toEqual(['0', '1', '2']);
      expect(texts(await firstBatch(reader))).toEqual(['0', '1', '2']);
    });

    it('refuse a commit that goes back', async () => {
      const { log } = await fresh();
      await log.append(numbered(10));
      const reader = reading(log);
      await take(reader, 10);
      await reader.commit([{ topic: 'events', partition: 0, next: 3n as Offset }]);
      expect((await log.describe(['events']))[0]?.groups).toEqual({ group: 10n });
    });

    it('cannot commit beyond the end, which would skip records that are yet to come', async () => {
      const { log } = await fresh();
      await log.append(numbered(2));
      const reader = reading(log);
      await firstBatch(reader);
      await reader.commit([{ topic: 'events', partition: 0, next: 100n as Offset }]);
      await log.append([aRecord({ text: 'later' })]);
      expect(texts(await firstBatch(reader))).toEqual(['later']);
    });

    it('wait when there is nothing, and wake when something comes', async () => {
      const { log } = await fresh();
      const reading1 = firstBatch(reading(log));
      await log.append([aRecord({ text: 'at last' })]);
      expect(texts(await reading1)).toEqual(['at last']);
    });

    it('wait for a topic that is created later', async () => {
      const { log } = await fresh();
      const batch = firstBatch(reading(log, { topics: ['later'] }));
      await log.createTopics([{ name: 'later', partitions: 1, cleanup: 'delete' }]);
      await log.append([aRecord({ topic: 'later', text: 'here' })]);
      expect(texts(await batch)).toEqual(['here']);
    });

    it('end when their signal aborts, and when they are disposed', async () => {
      const { log } = await fresh();
      const stop = new AbortController();
      const batches: unknown[] = [];
      const drain = async (reader: LogReader): Promise<void> => {
        for await (const batch of reader.batches(stop.signal)) batches.push(batch);
      };
      const aborted = drain(reading(log, { group: 'one' }));
      const disposed = log.subscribe(aSubscription({ group: 'two' }));
      const ended = drain(disposed);
      await disposed[Symbol.asyncDispose]();
      stop.abort();
      await Promise.all([aborted, ended]);
      expect(batches).toEqual([]);
    });

    it('give batches of at most the records that were asked for', async () => {
      const { log } = await fresh();
      await log.append(numbered(7));
      const sizes: number[] = [];
      const reader = reading(log, { maxBatchRecords: 3 });
      for await (const batch of reader.batches(new AbortController().signal)) {
        sizes.push(batch.length);
        if (sizes.reduce((a, b) => a + b) === 7) break;
      }
      expect(sizes).toEqual([3, 3, 1]);
    });

    it('give batches of at most the bytes that were asked for; a larger record comes alone', async () => {
      const { log } = await fresh();
      const sizes = [40, 40, 40, 500, 40, 60];
      await log.append(sizes.map((size) => aRecord({ value: new Uint8Array(size) })));
      const batches: number[][] = [];
      for await (const batch of reading(log, { maxBatchBytes: 100 }).batches(new AbortController().signal)) {
        batches.push(batch.map(({ value }) => value?.byteLength ?? 0));
        if (batches.flat().length === sizes.length) break;
      }
      expect(batches).toEqual([[40, 40], [40], [500], [40, 60]]);
    });

    it('linger for a batch that is not full', async () => {
      const { log } = await fresh();
      await log.append([aRecord({ text: 'first' })]);
      const batch = firstBatch(reading(log, { lingerMs: 30_000, maxBatchRecords: 2 }));
      await log.append([aRecord({ text: 'second' })]);
      expect(texts(await batch)).toEqual(['first', 'second']);
    });

    it('do not let a busy topic starve a quiet one', async () => {
      const { log } = await fresh();
      await log.createTopics([{ name: 'quiet', partitions: 1, cleanup: 'delete' }]);
      await log.append(numbered(1_000));
      await log.append([aRecord({ topic: 'quiet', text: 'hush' })]);
      const batch = await firstBatch(reading(log, { topics: ['events', 'quiet'], maxBatchRecords: 10 }));
      expect(batch).toHaveLength(10);
      expect(texts(batch.filter(({ topic }) => topic === 'quiet'))).toEqual(['hush']);
    });

    it('read a partition again that is rewound, from what was committed, and go on with the others', async () => {
      const { log } = await fresh(2);
      await log.append([0, 1].flatMap((partition) => ['a', 'b'].map((text) => aRecord({ partition, text }))));
      const reader = reading(log);
      const read: string[][] = [[], []];
      const expected = [
        ['a', 'b', 'b', 'c'],
        ['a', 'b', 'c'],
      ];
      let rewound = false;
      for await (const batch of reader.batches(new AbortController().signal)) {
        for (const record of batch) read[record.partition]!.push(textOf(record)!);
        if (!rewound && read[0]!.length === 2) {
          rewound = true;
          await reader.commit([{ topic: 'events', partition: 0, next: 1n as Offset }]);
          reader.rewind([{ topic: 'events', partition: 0 }]);
          await log.append([0, 1].map((partition) => aRecord({ partition, text: 'c' })));
        }
        if (read.flat().length >= expected.flat().length) break;
      }
      expect(read).toEqual(expected);
    });

    it('are not starved by a partition that is rewound again and again', async () => {
      const { log } = await fresh(2);
      await log.append(numbered(50, { partition: 0 }));
      await log.append(numbered(50, { partition: 1 }));
      const reader = reading(log, { maxBatchRecords: 4 });
      const others: LogRecord[] = [];
      let rewinds = 0;
      for await (const batch of reader.batches(new AbortController().signal)) {
        others.push(...batch.filter(({ partition }) => partition === 1));
        await reader.commit(after(batch.filter(({ partition }) => partition === 1)));
        if (others.length === 50) break;
        reader.rewind(batch.filter(({ partition }) => partition === 0));
        if (batch.some(({ partition }) => partition === 0)) rewinds++;
      }
      expect(texts(others)).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
      expect(rewinds).toBeGreaterThan(0);
    });

    it('say what retention took before it was read, and go on where the commit that accepts it says', async (test) => {
      const { log, deleteBefore } = await fresh();
      if (!deleteBefore) return test.skip('retention waits for every group');
      await log.append(numbered(8));
      {
        await using reader = log.subscribe(aSubscription({ maxBatchRecords: 2 }));
        await take(reader, 2);
      }
      await deleteBefore({ topic: 'events', partition: 0, offset: 5n as Offset });
      const reader = reading(log);
      for (let attempt = 0; attempt < 2; attempt++) {
        const error = await firstBatch(reader).catch((cause: unknown) => cause);
        expect(error).toBeInstanceOf(RecordsLost);
        expect(error).toMatchObject({ topic: 'events', partition: 0, from: 2n, next: 5n });
      }
      await reader.commit([{ topic: 'events', partition: 0, next: 6n as Offset }]);
      expect(texts(await take(reader, 2))).toEqual(['6', '7']);
    });

    it('of one group share the partitions, and read every record once', async () => {
      const { log } = await fresh(4);
      const readers = [reading(log), reading(log)];
      const stop = new AbortController();
      const seen: LogRecord[][] = [[], []];
      const running = readers.map(async (reader, i) => {
        for await (const batch of reader.batches(stop.signal)) {
          seen[i]!.push(...batch);
          await reader.commit(after(batch));
        }
      });
      // Both have joined once both have read a partition of their own.
      const expected: string[] = [];
      for (let round = 0; seen.some((records) => records.length === 0); round++) {
        await log.append(
          Array.from({ length: 20 }, (_, i) => aRecord({ key: `${round}/${i}`, text: `${round}/${i}` })),
        );
        expected.push(...Array.from({ length: 20 }, (_, i) => `${round}/${i}`));
        await vi.waitUntil(() => seen.flat().length >= expected.length);
      }
      stop.abort();
      await Promise.all(running);
      expect(texts(seen.flat()).map(String).toSorted()).toEqual(expected.toSorted());
    });

    it('take over the partitions of a member that leaves', async () => {
      const { log } = await fresh(2);
      const leaving = log.subscribe(aSubscription());
      await log.append([0, 1].map((partition) => aRecord({ partition, text: `first ${partition}` })));
      await take(leaving, 2);
      const staying = take(reading(log), 2);
      await leaving[Symbol.asyncDispose]();
      await log.append([0, 1].map((partition) => aRecord({ partition, text: `second ${partition}` })));
      expect(
        texts(await staying)
          .map(String)
          .toSorted(),
      ).toEqual(['second 0', 'second 1']);
    });
  });
}
