import { describe, expect, test } from 'vitest';
import type { LogRecord } from '../ports/log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { DocumentRefused, EmbedderUnavailable, StorageFailed } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { aRecord, never } from '../test/support/builders.ts';
import { bisect } from './bisect.ts';
import type { Ending } from './flow.ts';
import { Blocked } from './stage.ts';

const records = Array.from({ length: 256 }, (_, n) => aRecord({ key: `k${n}`, offset: n }));
const indexed: Ending = { kind: 'indexed' };

/** A clock on which waiting takes no time, and which says how long was waited. */
function instantClock(): Clock & { waitedMs: number } {
  const clock = {
    waitedMs: 0,
    now: () => clock.waitedMs,
    monotonicMs: () => clock.waitedMs,
    sleep: (ms: number) => {
      clock.waitedMs += ms;
      return Promise.resolve();
    },
  };
  return clock;
}

function run(
  process: (part: readonly LogRecord[]) => readonly Ending[],
  clock = instantClock(),
  batch: readonly LogRecord[] = records,
) {
  let calls = 0;
  const endings = bisect(
    batch,
    (part) => {
      calls++;
      return Promise.resolve().then(() => process(part));
    },
    { name: 'test', attempts: 3, clock, random: () => 0.5, logger: silentLogger },
    never,
  );
  return endings.then((result) => ({ endings: result, calls, clock }));
}

const fails = (part: readonly LogRecord[], keys: readonly string[], error: () => Error): readonly Ending[] => {
  if (part.some((record) => keys.includes(record.key))) throw error();
  return part.map(() => indexed);
};

describe('bisect', () => {
  test('a batch that passes is one call', async () => {
    const { endings, calls } = await run((part) => part.map(() => indexed));
    expect(endings).toEqual(records.map(() => indexed));
    expect(calls).toBe(1);
  });

  test('one poison record in 256 is parked and the other 255 pass, within a few calls', async () => {
    const { endings, calls } = await run((part) => fails(part, ['k77'], () => new DocumentRefused('no')));
    expect(endings.flatMap((ending, index) => (ending.kind === 'indexed' ? [] : [index]))).toEqual([77]);
    expect(endings[77]).toMatchObject({ kind: 'rejected', error: { code: 'FRESHET_DOCUMENT_REFUSED' } });
    expect(calls).toBeLessThan(24);
  });

  test('a record that fails alone with fate retry while others pass is parked after its attempts', async () => {
    const { endings } = await run((part) => fails(part, ['k0', 'k255'], () => new EmbedderUnavailable('500')));
    expect(endings.flatMap((ending, index) => (ending.kind === 'indexed' ? [] : [index]))).toEqual([0, 255]);
  });

  test('an outage parks nothing, however long it takes', async () => {
    let down = 500;
    const { endings, clock } = await run((part) => {
      if (down-- > 0) throw new EmbedderUnavailable('down');
      return part.map(() => indexed);
    });
    expect(endings).toEqual(records.map(() => indexed));
    expect(clock.waitedMs).toBeGreaterThan(10_000);
  });

  test('a lone record waits an outage out as well', async () => {
    let down = 50;
    const one = [aRecord()];
    const { endings } = await run(
      () => {
        if (down-- > 0) throw new EmbedderUnavailable('down');
        return [indexed];
      },
      instantClock(),
      one,
    );
    expect(endings).toEqual([indexed]);
  });

  test('an outage does not turn into a hot loop: failing calls are few per second waited', async () => {
    let calls = 0;
    const { clock } = await run((part) => {
      if (calls++ < 400) throw new EmbedderUnavailable('down');
      return part.map(() => indexed);
    });
    expect(calls / (clock.waitedMs / 1000)).toBeLessThan(20);
  });

  test('a fatal error stops the worker', async () => {
    await expect(
      run(() => {
        throw new StorageFailed('disk full');
      }),
    ).rejects.toMatchObject({ code: 'FRESHET_STORAGE_FAILED' });
  });

  test('an error that nobody classified parks the record at fault', async () => {
    const { endings } = await run((part) => fails(part, ['k3'], () => new TypeError('a bug')));
    expect(endings[3]).toMatchObject({ kind: 'rejected', error: { code: 'FRESHET_UNCLASSIFIED' } });
    expect(endings.filter((ending) => ending.kind === 'indexed')).toHaveLength(255);
  });

  test('a marker and later changes of the same key wait for the record in doubt', async () => {
    const batch = ['a', 'b', 'a', '~watermark', 'c'].map((key, n) => aRecord({ key, offset: n }));
    const [doubted] = batch;
    const passed: LogRecord[] = [];
    let failures = 0;
    const { endings } = await run(
      (part) => {
        if (doubted && part.includes(doubted) && ++failures < 8) throw new EmbedderUnavailable('busy');
        passed.push(...part);
        return part.map(() => indexed);
      },
      instantClock(),
      batch,
    );
    expect(endings).toEqual(batch.map(() => indexed));
    const order = passed.map(({ offset }) => Number(offset));
    expect(order.indexOf(0)).toBeLessThan(order.indexOf(2));
    expect(order.indexOf(0)).toBeLessThan(order.indexOf(3));
    expect(order.indexOf(4)).toBeLessThan(order.indexOf(0));
  });

  test('nothing of its partition goes before a blocked record, however the batch is cut', async () => {
    const batch = ['a', 'b', 'c', 'd', 'e', 'f'].map((key, n) =>
      aRecord({ key, offset: n, partition: n === 5 ? 1 : 0 }),
    );
    const passed: string[] = [];
    const { endings } = await run(
      (part) => {
        if (part.some(({ key }) => key === 'a')) throw new DocumentRefused('no');
        const blocked = part.findIndex(({ key }) => key === 'c');
        if (blocked >= 0) throw new Blocked(blocked);
        passed.push(...part.map(({ key }) => key));
        return part.map(() => indexed);
      },
      instantClock(),
      batch,
    );
    expect(endings.map(({ kind }) => kind)).toEqual([
      'rejected',
      'indexed',
      'blocked',
      'blocked',
      'blocked',
      'indexed',
    ]);
    expect(passed.toSorted()).toEqual(['b', 'f']);
  });

  test('a marker that passes is no proof that the dependency is up', async () => {
    const batch = ['a', '~watermark'].map((key, n) => aRecord({ key, offset: n, partition: n }));
    let failures = 0;
    const { endings } = await run(
      (part) => {
        if (part.some(({ key }) => key === 'a') && ++failures < 50) throw new EmbedderUnavailable('down');
        return part.map(() => indexed);
      },
      instantClock(),
      batch,
    );
    expect(endings).toEqual([indexed, indexed]);
  });
});
