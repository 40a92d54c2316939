import { expect, test } from 'vitest';
import { sees } from './pg-snapshot.ts';

test.each([
  ['before every running one', '10:20:10,15', 9, true],
  ['running', '10:20:10,15', 15, false],
  ['ended while an older one runs', '10:20:10,15', 12, true],
  ['not begun', '10:20:10,15', 20, false],
  ['when nothing runs', '20:20:', 19, true],
  ['behind the end when nothing runs', '20:20:', 20, false],
  ['before a wrap that the snapshot is behind', '4294967300:4294967310:', 4_294_967_290, true],
  ['behind a wrap, running', '4294967300:4294967310:4294967301', 5, false],
  ['behind a wrap, ended', '4294967300:4294967310:4294967301', 6, true],
  ['behind a wrap that the snapshot is before', '4294967290:4294967290:', 3, false],
])('of a transaction %s: %s sees %d: %s', (_, snapshot, xid, expected) => {
  expect(sees(snapshot, xid)).toBe(expected);
});
