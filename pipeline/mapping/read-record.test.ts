import { expect, test } from 'vitest';
import type { LogRecord, Offset } from '../../ports/log/log.ts';
import { confluentRegistry } from '../../ports/schema-registry/confluent-registry.ts';
import { stubRegistry } from '../../test/support/stub-registry.ts';
import { rowTypes } from './connect-schema.ts';
import { debeziumChange } from './debezium-change.ts';
import { parseExact } from './exact-json.ts';
import { documentRow } from './extended-json.ts';
import { readSourceRecords } from './read-record.ts';

const never = new AbortController().signal;

const optional = (type: unknown): unknown => ['null', type];
/** An envelope as Confluent's Avro converter writes Debezium's: `after` names the record that `before` defines. */
const ENVELOPE = {
  type: 'record',
  name: 'Envelope',
  namespace: 'shop.public.articles',
  fields: [
    {
      name: 'before',
      type: optional({
        type: 'record',
        name: 'Value',
        fields: [
          { name: 'id', type: 'long' },
          {
            name: 'price',
            type: optional({
              type: 'bytes',
              'connect.name': 'org.apache.kafka.connect.data.Decimal',
              'connect.parameters': { scale: '2' },
            }),
          },
          { name: 'at', type: optional({ type: 'string', 'connect.name': 'io.debezium.time.ZonedTimestamp' }) },
          {
            name: 'flags',
            type: optional({
              type: 'bytes',
              'connect.name': 'io.debezium.data.Bits',
              'connect.parameters': { length: '4' },
            }),
          },
          { name: 'tags', type: optional({ type: 'array', items: optional('string') }) },
          { name: 'raw', type: optional('bytes') },
        ],
      }),
    },
    { name: 'after', type: optional('Value') },
    {
      name: 'source',
      type: {
        type: 'record',
        name: 'Source',
        namespace: 'io.debezium.connector.postgresql',
        fields: ['connector', 'name', 'schema', 'table']
          .map((name) => ({ name, type: 'string' }))
          .concat([
            { name: 'ts_ms', type: 'long' },
            { name: 'lsn', type: optional('long') as never },
          ]),
      },
    },
    { name: 'op', type: 'string' },
  ],
};

test("Debezium's Avro is read by the registry's schema, with Connect's semantic types", async () => {
  await using stub = await stubRegistry();
  const value = stub.frame(stub.register(ENVELOPE), {
    before: null,
    after: {
      id: 9_007_199_254_740_993n,
      price: Buffer.from([0xff, 0x6a]),
      at: '2026-01-31T10:34:56.500000Z',
      flags: Buffer.from([0x0a]),
      tags: ['a', null],
      raw: Buffer.from('__debezium_unavailable_value'),
    },
    source: { connector: 'postgresql', name: 'shop', schema: 'public', table: 'articles', ts_ms: 1n, lsn: 255n },
    op: 'c',
  });
  const record: LogRecord = {
    topic: 'shop.public.articles',
    partition: 0,
    offset: 0n as Offset,
    key: '',
    value,
    headers: {},
    timestamp: 0,
  };
  const [read] = await readSourceRecords([record], confluentRegistry({ url: stub.url }), never);
  if (!read || read instanceof Error || read.kind !== 'debezium') throw read ?? new Error('nothing');
  const config = { table: 'public.articles', key: ['id'], body: ['price', 'at', 'flags', 'tags', 'raw'] };
  expect(
    debeziumChange(record, read.envelope, { config, layout: undefined, types: rowTypes(read.schema) }),
  ).toMatchObject({
    id: 'shop/public.articles/9007199254740993',
    version: 255n,
    position: '0/FF',
    after: {
      price: '-1.50',
      at: '2026-01-31 10:34:56.5+00',
      flags: '1010',
      tags: ['a', null],
      raw: '__debezium_unavailable_value',
    },
  });
});

test('Avro without a registry is parked; a registry that is down makes the whole batch wait', async () => {
  const framed = { value: Buffer.from([0, 0, 0, 0, 1, 2]) };
  const [parked] = await readSourceRecords([framed], undefined, never);
  expect(parked).toMatchObject({ code: 'FRESHET_RECORD_UNREADABLE' });
  const registry = confluentRegistry({ url: 'http://127.0.0.1:1/' });
  await expect(readSourceRecords([framed], registry, never)).rejects.toMatchObject({ fate: 'retry' });
});

test('long integers stay exact outside of strings, and digits inside of strings stay text', () => {
  expect(
    parseExact(
      '{"a":9007199254740993,"b":-9223372036854775808,"c":1795404465774579,"d":"\\"9007199254740993","e":1.2345678901234567e20}',
    ),
  ).toEqual({
    a: '9007199254740993',
    b: '-9223372036854775808',
    c: 1_795_404_465_774_579,
    d: '"9007199254740993',
    e: 1.2345678901234567e20,
  });
});

test('a MongoDB document becomes a row of its top-level fields', () => {
  const text =
    '{"_id":{"$oid":"65a1"},"title":"T","views":{"$numberLong":"9007199254740993"},"at":{"$date":1769855696500},"price":{"$numberDecimal":"1.50"},"tags":["a",1],"nested":{"x":1}}';
  expect(documentRow(text)).toEqual({
    _id: '65a1',
    title: 'T',
    views: '9007199254740993',
    at: '2026-01-31 10:34:56.5+00',
    price: '1.50',
    tags: ['a', 1],
    nested: '{"x":1}',
  });
});
