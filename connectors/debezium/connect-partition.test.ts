import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { connectPartition } from './connect-partition.ts';

const partitionOf = kafkajs.Partitioners.DefaultPartitioner();
const PARTITIONS = 12;

/** Where Kafka's clients put a key. */
function kafkas(key: string): number {
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({ partitionId, leader: 0 }));
  return partitionOf({ topic: 't', partitionMetadata, message: { key, value: null } } as never);
}

test('a row goes where its key goes as Kafka Connect writes it', () => {
  const columns = { id: { type: 'string' }, n: { type: 'int' } } as const;
  const layout = { table: 'public.t', key: ['id', 'n'], columns };
  fc.assert(
    fc.property(fc.string(), fc.integer(), (id, n) => {
      const partition = connectPartition(layout, [id, String(n)], PARTITIONS);
      expect(partition).toBe(kafkas(JSON.stringify({ id, n })));
    }),
  );
});

// As Kafka Connect has written them.
test.each([
  ['text', { type: 'string' }, 'ünï 😀 / \\ \t', '{"id":"ünï \\uD83D\\uDE00 / \\\\ \\t"}'],
  ['control characters', { type: 'string' }, '\u000b\u001f\u007f', '{"id":"\\u000B\\u001F\u007f"}'],
  ['a time', { type: 'string', name: 'io.debezium.time.IsoTime' }, '12:34:00', '{"id":"12:34:00Z"}'],
  [
    'a time stamp',
    { type: 'string', name: 'io.debezium.time.IsoTimestamp' },
    '2026-01-31 12:34:56.5',
    '{"id":"2026-01-31T12:34:56.5Z"}',
  ],
  [
    'a time stamp with a zone',
    { type: 'string', name: 'io.debezium.time.ZonedTimestamp', length: 6 },
    '2026-01-31 00:00:00.5+00',
    '{"id":"2026-01-31T00:00:00.500000Z"}',
  ],
] as const)('%s', (_, type, text, json) => {
  const layout = { table: 'public.t', key: ['id'], columns: { id: type } };
  expect(connectPartition(layout, [text], PARTITIONS)).toBe(kafkas(json));
});

test('of a key whose form is not known no partition is told', () => {
  const layout = { table: 'public.t', key: ['f'], columns: { f: { type: 'double' } } } as const;
  expect(connectPartition(layout, ['1.5'], PARTITIONS)).toBeUndefined();
});
