import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidConfig, NotFound } from '../../runtime/errors.ts';
import {
  aRecord,
  aSubscription,
  after,
  bytes,
  firstBatch,
  logsOf,
  numbered,
  take,
  textOf,
  texts,
  type OpenedLog,
} from './log-fixtures.ts';
import { logReadersConformance } from './log-readers.conformance.ts';
import type { AppendRecord, Offset } from './log.ts';

/** What every log must do. */
export function logConformance(name: string, open: () => Promise<OpenedLog>): void {
  logReadersConformance(name, open);

  describe(`log: ${name}`, () => {
    const { fresh, reading, closing } = logsOf(open);

    describe('append', () => {
      it('keeps the order of a call, and of calls one after the other', async () => {
        const { log } = await fresh();
        await log.append([aRecord({ text: 'a' }), aRecord({ text: 'b' })]);
        await log.append([aRecord({ text: 'c' })]);
        expect(texts(await take(reading(log), 3))).toEqual(['a', 'b', 'c']);
      });

      it('returns the place of every record, where fetch finds it', async () => {
        const { log } = await fresh(4);
        const places = await log.append(
          Array.from({ length: 20 }, (_, i) => aRecord({ key: `k${i}`, text: String(i) })),
        );
        const found = await Promise.all(places.map((place) => log.fetch(place, 1)));
        expect(found.map((records) => texts(records))).toEqual(places.map((_, i) => [String(i)]));
      });

      it('keeps concurrent calls apart: the records of each stay in order and together', async () => {
        const { log } = await fresh();
        await Promise.all(
          Array.from({ length: 50 }, (_, call) =>
            log.append([aRecord({ text: `${call}a` }), aRecord({ text: `${call}b` })]),
          ),
        );
        const read = texts(await take(reading(log), 100));
        const expected = Array.from({ length: 50 }, (_, call) => [`${call}a`, `${call}b`]).flat();
        expect(read).toEqual(expected);
      });

      it('appends nothing of a call that names an unknown topic, and everything of its neighbours', async () => {
        const { log } = await fresh();
        const results = await Promise.allSettled([
          log.append([aRecord({ text: 'before' })]),
          log.append([aRecord({ text: 'lost' }), aRecord({ topic: 'missing' })]),
          log.append([aRecord({ text: 'after' })]),
        ]);
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect(texts(await take(reading(log), 2))).toEqual(['before', 'after']);
      });

      it('brings a record back as it was: key, value, headers', async () => {
        const { log } = await fresh();
        const records: AppendRecord[] = [
          aRecord({ key: 'nul \0 and ü', value: Uint8Array.of(0, 255, 10, 0), headers: { a: '1', ü: 'NUL \0' } }),
          aRecord({ key: '', value: new Uint8Array() }),
          aRecord({ key: 'tombstone', value: null }),
        ];
        await log.append(records);
        const read = await take(reading(log), 3);
        expect(read.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(
          records.map(({ key, value, headers = {} }) => ({ key, value: value && Uint8Array.from(value), headers })),
        );
      });

      it('puts a key always in the same partition, and keys in all of them', async () => {
        const { log } = await fresh(4);
        const keys = Array.from({ length: 200 }, (_, i) => `source/table/${i}`);
        const first = await log.append(keys.map((key) => aRecord({ key })));
        const second = await log.append(keys.map((key) => aRecord({ key })));
        expect(second.map(({ partition }) => partition)).toEqual(first.map(({ partition }) => partition));
        expect(new Set(first.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2, 3]));
      });

      it('puts a record where it is told to, whatever its key', async () => {
        const { log } = await fresh(3);
        const places = await log.append([0, 1, 2].map((partition) => aRecord({ partition })));
        expect(places.map(({ partition }) => partition)).toEqual([0, 1, 2]);
      });

      it('appends nothing when its signal has aborted', async () => {
        const { log } = await fresh();
        await expect(log.append([aRecord()], AbortSignal.abort())).rejects.toThrow();
        expect((await log.describe(['events']))[0]?.next).toBe(0n);
      });
    });

    describe('topics', () => {
      it('may be created again', async () => {
        const { log } = await fresh(2);
        await log.append([aRecord()]);
        await log.createTopics([{ name: 'events', partitions: 2, cleanup: 'delete', retentionMs: 1 }]);
        expect((await log.describe(['events'])).reduce((sum, { next }) => sum + next, 0n)).toBe(1n);
      });

      it('refuse to have fewer partitions than they have', async () => {
        const { log } = await fresh(2);
        await expect(log.createTopics([{ name: 'events', partitions: 1, cleanup: 'delete' }])).rejects.toBeInstanceOf(
          InvalidConfig,
        );
      });

      it('say how far they and their groups are', async () => {
        const { log } = await fresh();
        await log.append(numbered(5));
        const [batch] = [await firstBatch(reading(log, { maxBatchRecords: 3 }))];
        const reader = reading(log, { group: 'other', maxBatchRecords: 3 });
        await take(reader, batch.length);
        const expected = { topic: 'events', partition: 0, earliest: 0n, next: 5n, groups: { other: 3n } };
        expect(await log.describe(['events'])).toEqual([{ ...expected, bytes: expect.any(Number) as number }]);
      });

      it('are all described when none is named', async () => {
        const { log } = await fresh(2);
        const places = (await log.describe()).map(({ topic, partition }) => `${topic}/${partition}`);
        expect(places).toEqual(['events/0', 'events/1', 'state/0', 'state/1']);
      });
    });

    describe('fetch', () => {
      it('pages through a partition without a group', async () => {
        const { log } = await fresh();
        await log.append(numbered(5));
        const read: (string | null)[] = [];
        for (let offset = 0n as Offset; ;) {
          const page = await log.fetch({ topic: 'events', partition: 0, offset }, 2);
          const last = page.at(-1);
          if (!last) break;
          read.push(...texts(page));
          offset = (last.offset + 1n) as Offset;
        }
        expect(read).toEqual(['0', '1', '2', '3', '4']);
        expect((await log.describe(['events']))[0]?.groups).toEqual({});
      });

      it('does not know a topic or a partition that is not there', async () => {
        const { log } = await fresh();
        const offset = 0n as Offset;
        await expect(log.fetch({ topic: 'missing', partition: 0, offset }, 1)).rejects.toBeInstanceOf(NotFound);
        await expect(log.fetch({ topic: 'events', partition: 9, offset }, 1)).rejects.toBeInstanceOf(NotFound);
      });
    });

    describe('latest', () => {
      it('returns the newest record of each key, in the order of the keys', async () => {
        const { log } = await fresh(3);
        const append = (key: string, text: string | null) =>
          log.append([{ topic: 'state', key, value: text === null ? null : bytes(text) }]);
        await append('a', 'a1');
        await append('b', 'b1');
        await append('a', 'a2');
        await append('c', 'c1');
        await append('c', null);
        const found = await log.latest('state', ['b', 'missing', 'a', 'c', 'b']);
        expect(found.map((record) => record && textOf(record))).toEqual(['b1', undefined, 'a2', undefined, 'b1']);
      });

      it('keeps the highest version of a key in its place when an older one is appended late', async () => {
        const { log } = await fresh();
        const append = (text: string, version: bigint) =>
          log.append([{ topic: 'state', key: 'k', value: bytes(text), version }]);
        await append('new', 7n);
        await append('late', 5n);
        expect((await log.latest('state', ['k'])).map((record) => record && textOf(record))).toEqual(['new']);
        await append('newer', 9n);
        expect((await log.latest('state', ['k'])).map((record) => record && textOf(record))).toEqual(['newer']);
      });

      it('keeps topics apart', async () => {
        const { log } = await fresh();
        await log.createTopics([{ name: 'other', partitions: 1, cleanup: 'compact' }]);
        await log.append([
          { topic: 'state', key: 'k', value: bytes('state') },
          { topic: 'other', key: 'k', value: bytes('other') },
        ]);
        expect(texts((await log.latest('state', ['k'])).filter((record) => record !== undefined))).toEqual(['state']);
      });
    });

    describe('a crash', () => {
      it('loses no append that has resolved', async (test) => {
        const { log, reopen } = await fresh();
        if (!reopen) return test.skip('nothing outlives the process');
        await Promise.all(Array.from({ length: 20 }, (_, i) => log.append([aRecord({ text: String(i) })])));
        const again = closing(await reopen());
        const records = await again.fetch({ topic: 'events', partition: 0, offset: 0n as Offset }, 100);
        expect(texts(records)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
      });

      it('leaves the group where it committed, and its partitions free', async (test) => {
        const { log, reopen } = await fresh();
        if (!reopen) return test.skip('nothing outlives the process');
        await log.append(numbered(10));
        const reader = reading(log, { maxBatchRecords: 4 });
        for await (const batch of reader.batches(new AbortController().signal)) {
          if (batch[0]?.offset === 4n) break;
          await reader.commit(after(batch));
        }
        const again = closing(await reopen());
        expect(texts(await take(reading(again), 6))).toEqual(['4', '5', '6', '7', '8', '9']);
      });
    });

    it('brings every record once, in order by key, whatever is appended and however the batches are cut', async () => {
      const calls = fc.array(
        fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), size: fc.nat(60) }), {
          minLength: 1,
          maxLength: 8,
        }),
        { minLength: 1, maxLength: 10 },
      );
      await fc.assert(
        fc.asyncProperty(calls, fc.integer({ min: 1, max: 5 }), async (appended, maxBatchRecords) => {
          const { log } = await open();
          await log.createTopics([{ name: 'events', partitions: 3, cleanup: 'delete' }]);
          const expected = new Map<string, string[]>();
          let count = 0;
          const appends = appended.map((call) =>
            log.append(
              call.map(({ key, size }) => {
                const text = `${count++} `.padEnd(size, '.');
                expected.set(key, [...(expected.get(key) ?? []), text]);
                return aRecord({ key, text });
              }),
            ),
          );
          const reader = log.subscribe(aSubscription({ maxBatchRecords, maxBatchBytes: 100 }));
          const read = await take(reader, count);
          await Promise.all(appends);
          await log[Symbol.asyncDispose]();
          const found = new Map<string, (string | null)[]>();
          for (const record of read) found.set(record.key, [...(found.get(record.key) ?? []), textOf(record)]);
          expect(found).toEqual(expected);
        }),
        { numRuns: 25 },
      );
    });
  });
}
