import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { LogRecord, Offset } from '../../ports/log/log.ts';
import { UNAVAILABLE } from '../../schemas/envelope.ts';
import type { ConnectType, TableLayout } from '../../schemas/table-layout.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { rowTypes } from './connect-schema.ts';
import { debeziumChange } from './debezium-change.ts';
import { readSourceRecords } from './read-record.ts';
import type { RowChange, TableCleared } from './source-change.ts';

/** A record that Debezium 3.6.3 wrote on Kafka Connect 4.3.1, with the properties of connectors/debezium/connector-config.ts. */
interface GoldenRecord {
  readonly name: string;
  readonly topic: string;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string | null;
}

function golden(file: string): readonly GoldenRecord[] {
  return JSON.parse(
    readFileSync(new URL(`../../schemas/golden/${file}.json`, import.meta.url), 'utf8'),
  ) as GoldenRecord[];
}

const records = [...golden('debezium-postgres'), ...golden('debezium-postgres-with-schema')];

/** What Debezium made of the golden record, with the columns that are asked for. */
async function read(
  wanted: GoldenRecord | string,
  columns: readonly string[] = [],
  layout?: TableLayout,
): Promise<RowChange | TableCleared> {
  const found = typeof wanted === 'string' ? records.find(({ name }) => name === wanted) : wanted;
  if (!found) throw new Error('no such golden record');
  const value = found.value === null ? null : Buffer.from(found.value);
  const record: LogRecord = {
    topic: found.topic,
    key: found.key ?? '',
    value,
    headers: found.headers,
    partition: 0,
    offset: 0n as Offset,
    timestamp: 0,
  };
  const [content] = await readSourceRecords([record], undefined, new AbortController().signal);
  if (!content || content instanceof Error || content.kind !== 'debezium') throw content ?? new Error('nothing');
  const table = found.topic.slice(found.topic.indexOf('.') + 1);
  const config = { table, body: [...columns] };
  return debeziumChange(record, content.envelope, { config, layout, types: rowTypes(content.schema) });
}

const PLACEHOLDERS = ['body', 'jb', 'by', 'at', 'ai', 'ai8', 'aby', 'au', 'aj', 'xx', 'hs'];

describe("Debezium's records", () => {
  test('a row that was read has the lowest version of its epoch, a change its own position', async () => {
    expect(await read('snapshot read of every type')).toMatchObject({ version: sourceVersion(3, 0n) });
    const insert = records.find(({ name }) => name === 'insert of every type');
    const { lsn } = (JSON.parse(insert?.value ?? '') as { source: { lsn: number } }).source;
    expect(await read('insert of every type')).toMatchObject({ version: sourceVersion(3, BigInt(lsn)) });
  });

  test('the id is made of the key columns, in their order', async () => {
    expect(await read('update with a composite key')).toMatchObject({
      id: 'golden/public.comp/x%2Cy,1',
      source: { name: 'golden', table: 'public.comp', key: 'x%2Cy,1' },
    });
    const layout = { table: 'public.comp', key: ['a', 'b'], columns: {} };
    expect(await read('update with a composite key', [], layout)).toMatchObject({ id: 'golden/public.comp/1,x%2Cy' });
  });

  test('a value that was left out is the placeholder, whatever its type: text, bytes, numbers, uuid, hstore (B13)', async () => {
    for (const name of ['update that leaves long values out', 'key change with long values: create half']) {
      const { after } = (await read(name, PLACEHOLDERS)) as RowChange;
      expect(after).toEqual(Object.fromEntries(PLACEHOLDERS.map((column) => [column, UNAVAILABLE])));
    }
  });

  test('both halves of a key change name each other', async () => {
    const from = 'golden/public.toast/1';
    const to = 'golden/public.toast/2';
    expect(await read('key change with long values: delete half')).toMatchObject({
      id: from,
      after: null,
      keyChange: { from, to },
    });
    expect(await read('key change with long values: create half')).toMatchObject({ id: to, keyChange: { from, to } });
  });

  test('a deletion has the id of what it deletes', async () => {
    expect(await read('delete')).toMatchObject({ kind: 'row', id: 'golden/public.comp/x%2Cy,2', after: null });
    expect(await read('delete, with its schema')).toMatchObject({ id: 'golden/public.comp/x%2Cy,2', after: null });
  });

  test('a truncation clears its table below its own position', async () => {
    expect(await read('truncate')).toMatchObject({ kind: 'cleared', source: 'golden', table: 'public.comp' });
  });

  test('64-bit integers are exact', async () => {
    expect(await read('insert of every type', ['i8', 'ai8'])).toMatchObject({
      after: { i8: '9223372036854775807', ai8: ['9007199254740993', 1] },
    });
  });

  test('with the schema that came with it a value is printed as PostgreSQL prints it', async () => {
    const columns = ['b', 'f4', 'f8', 'd', 'ts', 'tz', 'ti', 'iv', 'by', 'bit4', 'p', 'jb', 'atz', 'an', 'u'];
    expect(await read('insert of every type, with its schema', columns)).toMatchObject({
      after: {
        b: true,
        f4: '1.1',
        f8: '1e+20',
        d: '2026-01-31',
        ts: '2026-01-31 12:34:56.789',
        tz: '2026-01-31 10:34:56.789123+00',
        ti: '12:34:56.5',
        iv: '1 year 2 mons -3 days +04:05:06.789',
        by: '\\x00ff10',
        bit4: '1010',
        p: '(1.5,2)',
        jb: '{"a": [1.50], "b": 2}',
        atz: ['2026-01-31 10:34:56.789+00'],
        an: ['1.50', '2'],
        u: '6f1c1c7e-52d6-4f1c-8f3c-1234567890ab',
      },
    });
  });

  test('without a schema the layout of the catalog says what a value is', async () => {
    const types: Readonly<Record<string, ConnectType>> = {
      hs: { type: 'string', name: 'freshet.Hstore' },
      m: { type: 'string', name: 'freshet.Money' },
      bit1: { type: 'boolean', name: 'freshet.Bit' },
      bx: { type: 'bytes', name: 'freshet.Geometric' },
      pr: { type: 'bytes', name: 'freshet.Opaque' },
      o: { type: 'int', name: 'freshet.Text' },
    };
    const layout = { table: 'public.types', key: ['id'], columns: types };
    expect(await read('insert of every type', Object.keys(types), layout)).toMatchObject({
      after: {
        hs: '"b"=>NULL, "c"=>"d", "aa"=>"1 \\"q\\""',
        m: '$1,234.50',
        bit1: '1',
        bx: '(3,4),(1,2)',
        pr: '(1,"x,y")',
        o: '42',
      },
    });
  });

  test('a text that looks like a time stays what it is', async () => {
    const special = records.filter(({ name }) => name === 'insert of special values');
    const texts = await Promise.all(special.map((one) => read(one, ['t'])));
    expect(texts.map((change) => (change as RowChange).after?.['t'])).toContain('2026-01-31T12:34:56Z');
  });
});
