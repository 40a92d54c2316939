import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatLsn, normalizeAfter, parseLsn, type Lsn } from './lsn.ts';

const lsn = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((value) => value as Lsn);

test('an LSN reads back as it was written', () => {
  fc.assert(
    fc.property(lsn, (value) => {
      expect(parseLsn(formatLsn(value))).toBe(value);
    }),
  );
});

test('B10: LSNs are ordered as numbers, never as text', () => {
  expect(parseLsn('F/FFFFFFFF')).toBeLessThan(parseLsn('10/0') ?? 0n);
  expect(parseLsn('0/FFFFFFFF')).toBeLessThan(parseLsn('1/0') ?? 0n);
  fc.assert(
    fc.property(lsn, lsn, (a, b) => {
      expect((parseLsn(formatLsn(a)) ?? 0n) < (parseLsn(formatLsn(b)) ?? 0n)).toBe(a < b);
    }),
  );
});

test.each(['', '0', '0/', '/0', '0/123456789', 'g/0', '0/0 ', '-1/0', '1/2/3'])('%j is no LSN', (text) => {
  expect(parseLsn(text)).toBeUndefined();
});

test('a position behind a page header becomes the end of the page before, every other one stays', () => {
  const at = (text: string): Lsn => parseLsn(text) ?? (0n as Lsn);
  expect(formatLsn(normalizeAfter(at('0/16B2018')))).toBe('0/16B2000');
  expect(formatLsn(normalizeAfter(at('0/2000028')))).toBe('0/2000000');
  expect(formatLsn(normalizeAfter(at('0/16B2028')))).toBe('0/16B2028');
  fc.assert(
    fc.property(lsn, (value) => {
      const normal = normalizeAfter(value);
      expect(normal).toBeLessThanOrEqual(value);
      expect(value - normal === 0n || normal % 8_192n === 0n).toBe(true);
      expect(value - normal).toBeLessThanOrEqual(40n);
      expect(normalizeAfter(normal)).toBe(normal);
    }),
  );
});
