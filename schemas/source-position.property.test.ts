import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  binlogFileNumber,
  binlogPositionText,
  clusterTimeText,
  positionBits,
  positionOrder,
} from './source-position.ts';
import { POSITION_BITS } from './version.ts';

const fileNumber = fc.integer({ min: 0, max: 65_535 });
const row = fc.integer({ min: 0, max: 4_095 });
/** Places where events of rows can start: no two within the 37 bytes that the smallest one takes. */
const offset = fc.integer({ min: 0, max: Math.floor(2 ** 32 / 37) - 1 }).map((nth) => BigInt(nth) * 37n);
const binlog = fc.record({ kind: fc.constant('binlog' as const), file: fileNumber, offset, row });

describe('the position bits of a binlog', () => {
  test('follow file, event and row, each as a number, so that the later change of one row wins', () => {
    fc.assert(
      fc.property(binlog, binlog, (a, b) => {
        const order = a.file - b.file || Number(a.offset - b.offset) || a.row - b.row;
        const bits = positionBits(a) - positionBits(b);
        expect(Math.sign(Number(bits))).toBe(Math.sign(order));
      }),
    );
  });

  test('tell apart the rows of one event: a statement may change one key twice (REPLACE, key shifts)', () => {
    const at = (place: number): bigint => positionBits({ kind: 'binlog', file: 1, offset: 4n, row: place });
    expect(at(0)).toBeLessThan(at(1));
    expect(at(4_095)).toBeLessThan(positionBits({ kind: 'binlog', file: 1, offset: 41n, row: 0 }));
  });

  test('a file number, an offset or a row that does not fit is an error that says what to do, never a wrong order', () => {
    const at =
      (over: object): (() => bigint) =>
      () =>
        positionBits({ kind: 'binlog', file: 1, offset: 4n, row: 0, ...over });
    expect(at({ file: 65_536 })).toThrow(/RESET BINARY LOGS/);
    expect(at({ offset: 1n << 32n })).toThrow(/4 GiB/);
    expect(at({ row: 4_096 })).toThrow(/binlog_row_event_max_size/);
  });

  test('fit below the epoch', () => {
    fc.assert(fc.property(binlog, (position) => positionBits(position) >> POSITION_BITS === 0n));
  });
});

describe('the position bits of a cluster time', () => {
  const time = fc.record({
    kind: fc.constant('cluster-time' as const),
    seconds: fc.integer({ min: 1_577_836_800, max: 3_725_320_447 }),
    increment: fc.integer({ min: 0, max: 16_777_215 }),
  });

  test('follow seconds, then increment', () => {
    fc.assert(
      fc.property(time, time, (a, b) => {
        const order = a.seconds - b.seconds || a.increment - b.increment;
        expect(Math.sign(Number(positionBits(a) - positionBits(b)))).toBe(Math.sign(order));
      }),
    );
  });

  test('a time before 2020 or after 2088, or too many operations in a second, is an error', () => {
    const at =
      (seconds: number, increment: number): (() => bigint) =>
      () =>
        positionBits({ kind: 'cluster-time', seconds, increment });
    expect(at(0, 1)).toThrow(/cluster time/);
    expect(at(3_725_320_448, 1)).toThrow(/cluster time/);
    expect(at(1_700_000_000, 16_777_216)).toThrow(/increment/);
  });
});

describe('the order of positions', () => {
  test('takes LSNs, decimals, binlog positions and cluster times', () => {
    expect(positionOrder('16/B374D848')).toBe(0x16b374d848n);
    expect(positionOrder('42')).toBe(42n);
    expect(positionOrder('mariadb-bin.000012:4711')).toBe((12n << 32n) | 4711n);
    expect(positionOrder('1767225600:3')).toBe((1_767_225_600n << 32n) | 3n);
    expect(['', 'x', '1:2:3', 'bin:4', '-1', 'G/0'].map(positionOrder)).toEqual(Array(6).fill(undefined));
  });

  test('what a watermark states has the order of what the source prints', () => {
    expect(positionOrder('bin.000003:154')).toBe(positionOrder(binlogPositionText(3, 154n)));
    expect(positionOrder('1767225600:3')).toBe(positionOrder(clusterTimeText(1_767_225_600, 3)));
    expect(binlogFileNumber('my.server-bin.1000000')).toBe(1_000_000);
    expect(binlogFileNumber('none')).toBeUndefined();
  });
});
