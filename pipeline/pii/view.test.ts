import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewOf } from './view.ts';

const seen = (text: string): string => {
  const view = viewOf(text);
  return view.bytes.toString('latin1', 0, view.length);
};

describe('viewOf', () => {
  it('leaves Latin-1 text as it is, without a map', () => {
    expect(seen('Müller, 5 €'.slice(0, 9))).toBe('Müller, 5');
    expect(viewOf('Müller, 5').offsets).toBeNull();
  });

  it('turns the digits and separators of other scripts into ASCII', () => {
    expect(seen('４１１１ ٤١١ ४१ 𝟒𝟏')).toBe('4111 411 41 41');
    expect(seen('a‐b–c−d．e＠f')).toBe('a-b-c-d.e@f');
    expect(seen('1\u00a02\u20093\u30004')).toBe('1 2 3 4');
  });

  it('drops what only hides: zero-width characters, soft hyphens, variation selectors, combining marks', () => {
    expect(seen('4\u200b1\u200d1\u20601\ufeff')).toBe('4111');
    expect(seen('a\u00adb\ufe0fc\u0301')).toBe('abc');
  });

  it('decodes percent, entities and escapes, also twice over', () => {
    expect(seen('ann%40mail%2Eorg ann%2540mail.org')).toBe('ann@mail.org ann@mail.org');
    expect(seen('ann&#64;x ann&#x40;x ann&commat;x')).toBe('ann@x ann@x ann@x');
    expect(seen('ann\\u0040mail')).toBe('ann@mail');
  });

  it('leaves alone what only looks encoded', () => {
    for (const text of ['100% of', '50%2', 'a && b', '&amp; &', '\\n \\u12', '%zz', '&#;', '&#99999999999;'])
      expect(seen(text)).toBe(text);
  });

  it('letters of scripts without spaces are boundaries, those of Greek and Cyrillic are letters', () => {
    expect(seen('号4')).toBe('\u00024');
    expect(seen('ж4')).toBe('\u00e14');
  });

  it('the map leads from every byte to the character it came from, and rises', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const view = viewOf(text);
        if (!view.offsets) {
          expect(view.length).toBe(text.length);
          return;
        }
        for (let i = 0; i < view.length; i++)
          expect(view.offsets[i + 1] ?? -1).toBeGreaterThan(view.offsets[i] ?? Number.MAX_SAFE_INTEGER);
        expect(view.offsets[view.length]).toBe(text.length);
      }),
    );
  });

  it('what the last text left in the buffer is not seen by the next', () => {
    viewOf('9'.repeat(500));
    const view = viewOf('ab');
    expect([...view.bytes.subarray(2, 20)].every((byte) => byte === 0)).toBe(true);
  });
});
