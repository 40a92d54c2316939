import { expect, it } from 'vitest';
import type { Offset } from '../log.ts';
import { decodeRecords, type WireMessage, type WirePartition } from './decode-records.ts';

const aMessage = (offset: number, fields: Partial<WireMessage> = {}): WireMessage => ({
  offset: String(offset),
  key: Buffer.from(`k${offset}`),
  value: Buffer.from(`v${offset}`),
  timestamp: '7',
  ...fields,
});
const decode = (position: number, fields: Partial<WirePartition>) =>
  decodeRecords('events', BigInt(position) as Offset, { partition: 3, highWatermark: '100', messages: [], ...fields });
const offsets = (result: ReturnType<typeof decode>): number[] => result.records.map(({ offset }) => Number(offset));

it('a record comes with its key, value, headers and time', () => {
  const headers = { one: Buffer.from('1'), many: [Buffer.from('a'), Buffer.from('b')], none: undefined };
  const { records } = decode(4, { messages: [aMessage(4, { headers, value: null })] });
  expect(records).toEqual([
    {
      topic: 'events',
      partition: 3,
      offset: 4n,
      key: 'k4',
      value: null,
      headers: { one: '1', many: 'b' },
      timestamp: 7,
    },
  ]);
});

it('what was compressed together with a record and lies before the position is left out', () => {
  const result = decode(5, { messages: [3, 4, 5, 6].map((offset) => aMessage(offset)) });
  expect(offsets(result)).toEqual([5, 6]);
  expect(result.next).toBe(7n);
});

it('records of an aborted transaction are left out, and those of its producer after it are not', () => {
  const of = (producerId: string, inTransaction = true) => ({ batchContext: { producerId, inTransaction } });
  const end = { isControlRecord: true, key: Buffer.from([0, 0, 0, 0]) };
  const result = decode(0, {
    abortedTransactions: [{ producerId: '1', firstOffset: '0' }],
    messages: [
      aMessage(0, of('1')),
      aMessage(1, of('2')),
      aMessage(2, of('1')),
      aMessage(3, { ...of('1'), ...end }),
      aMessage(4, of('1')),
      aMessage(5, { ...of('2'), isControlRecord: true, key: Buffer.from([0, 0, 0, 1]) }),
    ],
  });
  expect(offsets(result)).toEqual([1, 4]);
  expect(result.next).toBe(6n);
});

it('a batch that compaction has emptied is passed', () => {
  expect(decode(7, { messages: [] }).next).toBe(8n);
});

it('the end is where committed records end, and is not passed', () => {
  const result = decode(9, { lastStableOffset: '9', messages: [] });
  expect([result.next, result.end]).toEqual([9n, 9n]);
});
