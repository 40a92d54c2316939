import { describe, expect, it } from 'vitest';
import { hasDate, icaoCheck, isDate, iso7064Mod11And10, luhn, mod97, verhoeff, weightedSum } from './checksums.ts';
import { keccak256 } from './keccak.ts';

describe('checksums', () => {
  it('agree with published examples', () => {
    expect(luhn('79927398713')).toBe(true);
    expect(mod97('WEST12345698765432GB82')).toBe(1);
    expect(verhoeff('2363')).toBe(true);
    expect(iso7064Mod11And10('136695976')).toBe(true);
    expect(icaoCheck('L898902C36')).toBe(true); // ICAO 9303, specimen
    expect(weightedSum('123', [1, 2, 3])).toBe(14);
  });

  it('find every single wrong digit and every swap of two neighbours (Verhoeff), which is what they are for', () => {
    const valid = '2363';
    for (let i = 0; i < valid.length; i++) {
      for (let digit = 0; digit < 10; digit++) {
        const changed = valid.slice(0, i) + digit + valid.slice(i + 1);
        expect(verhoeff(changed)).toBe(changed === valid);
      }
      const swapped = valid.slice(0, i) + (valid[i + 1] ?? '') + (valid[i] ?? '') + valid.slice(i + 2);
      if (i + 1 < valid.length && swapped !== valid) expect(verhoeff(swapped)).toBe(false);
    }
  });

  it('know the calendar', () => {
    expect(isDate(2024, 2, 29)).toBe(true);
    expect(isDate(2023, 2, 29)).toBe(false);
    expect(isDate(1900, 2, 29)).toBe(false);
    expect(isDate(2024, 4, 31)).toBe(false);
    expect(isDate(2024, 13, 1)).toBe(false);
    expect(hasDate('960231', 0, 2, 2, 4)).toBe(false);
    expect(hasDate('960229', 0, 2, 2, 4)).toBe(true);
    expect(hasDate('9602', 0, 2, 2, 4)).toBe(false);
  });

  it('Keccak-256 gives the digests of the empty text and of "abc"', () => {
    expect(keccak256(Buffer.alloc(0)).toString('hex')).toBe(
      'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    );
    expect(keccak256(Buffer.from('abc')).toString('hex')).toBe(
      '4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45',
    );
  });
});
