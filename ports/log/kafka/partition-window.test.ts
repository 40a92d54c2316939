import { describe, expect, it } from 'vitest';
import type { LogRecord, Offset } from '../log.ts';
import { PartitionWindow } from './partition-window.ts';

const place = { topic: 'events', partition: 0 };
const at = (offset: number): Offset => BigInt(offset) as Offset;
const aRecord = (offset: number, size = 10): LogRecord => ({
  ...place,
  offset: at(offset),
  key: '',
  value: new Uint8Array(size),
  headers: {},
  timestamp: 0,
});
const records = (from: number, to: number): LogRecord[] =>
  Array.from({ length: to - from }, (_, i) => aRecord(from + i));

function takeAll(window: PartitionWindow): number[] {
  const taken: number[] = [];
  for (let record = window.peek(); record; record = window.peek()) {
    taken.push(Number(record.offset));
    window.take();
  }
  return taken;
}

describe('a window', () => {
  it('brings again what is not committed, without fetching', () => {
    const window = new PartitionWindow({ ...place, position: at(0) }, 1_000);
    window.push(records(0, 5), at(5));
    expect(takeAll(window)).toEqual([0, 1, 2, 3, 4]);
    window.committed(at(2));
    window.rewind();
    expect(takeAll(window)).toEqual([2, 3, 4]);
    expect(window.position).toBe(at(5));
  });

  it('fetches again from what is committed when it had to let records go', () => {
    const window = new PartitionWindow({ ...place, position: at(0) }, 25);
    window.push(records(0, 5), at(5));
    takeAll(window);
    window.committed(at(1));
    window.rewind();
    expect(window.position).toBe(at(1));
    expect(takeAll(window)).toEqual([]);
    window.push(records(1, 5), at(5));
    expect(takeAll(window)).toEqual([1, 2, 3, 4]);
  });

  it('rewinds from memory again once what it let go is committed', () => {
    const window = new PartitionWindow({ ...place, position: at(0) }, 25);
    window.push(records(0, 5), at(5));
    takeAll(window);
    window.committed(at(3));
    window.rewind();
    expect(takeAll(window)).toEqual([3, 4]);
    expect(window.position).toBe(at(5));
  });

  it('counts the bytes that wait, whatever is taken, committed and rewound', () => {
    const window = new PartitionWindow({ ...place, position: at(0) }, 1_000);
    window.push(records(0, 4), at(4));
    window.take();
    window.take();
    expect([window.waitingBytes, window.waitingRecords]).toEqual([20, 2]);
    window.rewind();
    expect([window.waitingBytes, window.waitingRecords]).toEqual([40, 4]);
    window.take();
    window.committed(at(3));
    expect([window.waitingBytes, window.waitingRecords]).toEqual([10, 1]);
  });

  it('hands nothing out behind a gap until the gap is accepted, however far it has fetched', () => {
    const window = new PartitionWindow({ ...place, position: at(5), lostFrom: at(2) }, 1_000);
    window.push(records(5, 8), at(8));
    expect(window.lost).toEqual({ from: 2n, next: 5n });
    window.committed(at(4));
    expect(window.peek()).toBeUndefined();
    window.committed(at(5));
    expect(takeAll(window)).toEqual([5, 6, 7]);
  });

  it('hands nothing out while it goes to another member', () => {
    const window = new PartitionWindow({ ...place, position: at(0) }, 1_000);
    window.push(records(0, 2), at(2));
    window.isRevoking = true;
    expect(window.peek()).toBeUndefined();
  });
});
