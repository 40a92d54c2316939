import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecordUnreadable } from '../../runtime/errors.ts';
import { decodePgOutput, postgresTimeMs } from './pgoutput.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const cstring = (text: string): string => Buffer.from(`${text}\0`).toString('hex');
const sized = (text: string): string =>
  `${Buffer.byteLength(text).toString(16).padStart(8, '0')}${Buffer.from(text).toString('hex')}`;

const LSN = '0000001f ffffff00';
const TIME = '0002a30c 1e8de000';
const BYTES: Readonly<Record<string, Buffer>> = {
  begin: hex(`42 ${LSN} ${TIME} 000002a1`),
  commit: hex(`43 00 ${LSN} 0000001f ffffff30 ${TIME}`),
  origin: hex(`4f ${LSN} ${cstring('elsewhere')}`),
  relation: hex(
    `52 00004001 ${cstring('public')} ${cstring('notes')} 64 0002 01 ${cstring('id')} 00000017 ffffffff 00 ${cstring('body')} 00000019 ffffffff`,
  ),
  type: hex(`59 00004002 ${cstring('public')} ${cstring('mood')}`),
  insert: hex(`49 00004001 4e 0003 74 ${sized('7')} 6e 74 ${sized('äöü 😀')}`),
  'update with a key': hex(`55 00004001 4b 0002 74 ${sized('1')} 6e 4e 0002 74 ${sized('2')} 75`),
  'update with a row': hex(`55 00004001 4f 0001 74 ${sized('1')} 4e 0001 75`),
  'plain update': hex(`55 00004001 4e 0001 74 ${sized('')}`),
  delete: hex(`44 00004001 4b 0001 74 ${sized('1')}`),
  truncate: hex(`54 00000002 03 00004001 00004005`),
  message: hex(`4d 01 ${LSN} ${cstring('freshet')} ${sized('heartbeat')}`),
};

test.each(Object.entries(BYTES))('%s is decoded as PostgreSQL documents it', (_, bytes) => {
  expect(decodePgOutput(bytes)).toMatchSnapshot();
});

describe('what is not exactly one message is refused', () => {
  test.each(Object.entries(BYTES))('%s, cut anywhere or with a byte more', (_, bytes) => {
    for (let end = 0; end < bytes.length; end++)
      expect(() => decodePgOutput(bytes.subarray(0, end)), `cut at ${end}`).toThrow(RecordUnreadable);
    expect(() => decodePgOutput(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(RecordUnreadable);
  });

  test('any bytes either decode or are refused, and nothing else happens', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('B', 'C', 'O', 'R', 'Y', 'I', 'U', 'D', 'T', 'M'),
        (bytes, tag) => {
          try {
            decodePgOutput(Buffer.concat([Buffer.from(tag), bytes]));
          } catch (error) {
            expect(error).toBeInstanceOf(RecordUnreadable);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('what was decoded does not change when the buffer is used again', () => {
  const bytes = Buffer.from(BYTES['message'] ?? []);
  const message = decodePgOutput(bytes);
  const before = JSON.stringify(message, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
  bytes.fill(0);
  expect(JSON.stringify(message, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))).toBe(before);
});

test('times count from the year 2000', () => {
  expect(postgresTimeMs(0n)).toBe(Date.UTC(2000, 0, 1));
  expect(postgresTimeMs(-1_000n)).toBe(Date.UTC(2000, 0, 1) - 1);
});
