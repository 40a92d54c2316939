import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterValue } from '../filter-value.ts';
import { filterClauses, metadataTokens, sortableNumber } from './filter-tokens.ts';

/** Whether a term or range clause finds one of the tokens, as Lucene does: by the order of UTF-8 bytes. */
function finds(clauses: ReturnType<typeof filterClauses>, tokens: readonly string[]): boolean {
  const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return clauses.every((clause) => {
    const { terms, range } = clause as {
      terms?: { fields: string[] };
      range?: { fields: { gte: string; lt: string } };
    };
    if (terms) return terms.fields.some((token) => tokens.includes(token));
    if (!range) return false;
    const { gte, lt } = range.fields;
    return tokens.some((token) => compare(token, gte) >= 0 && compare(token, lt) < 0);
  });
}

const number = fc.double({ noNaN: true, noDefaultInfinity: true });

describe('tokens of metadata', () => {
  it('numbers sort as texts', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [x, y] = [sortableNumber(a), sortableNumber(b)];
        expect(x < y).toBe(a < b);
        expect(x === y).toBe(a === b);
      }),
    );
  });

  it('a range of numbers finds the numbers in it', () => {
    fc.assert(
      fc.property(number, number, number, (value, gte, lt) => {
        const found = finds(filterClauses({ x: { gte, lt } }), metadataTokens({ x: value }));
        expect(found).toBe(value >= gte && value < lt);
      }),
    );
  });

  it('a range of words finds the words in it', () => {
    const word = fc.string({ unit: 'binary', maxLength: 5 }).filter((text) => {
      const { number: asNumber, timeMs } = filterValue(text);
      return asNumber === null && timeMs === null && !/[\0\p{Surrogate}]/u.test(text);
    });
    const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
    fc.assert(
      fc.property(word, word, word, (value, gte, lt) => {
        const found = finds(filterClauses({ x: { gte, lt } }), metadataTokens({ x: value }));
        expect(found).toBe(compare(value, gte) >= 0 && compare(value, lt) < 0);
      }),
    );
  });

  it('a value finds itself and no other field or value', () => {
    const text = fc.string({ unit: 'binary', maxLength: 8 }).map((each) => each.replace(/[\0\p{Surrogate}]/gu, ''));
    fc.assert(
      fc.property(text, text, text, text, (name, value, otherName, otherValue) => {
        const found = finds(filterClauses({ [otherName]: otherValue }), metadataTokens({ [name]: value }));
        const { timeMs } = filterValue(value);
        const sameInstant = timeMs !== null && timeMs === filterValue(otherValue).timeMs;
        expect(found).toBe(name === otherName && (value === otherValue || sameInstant));
      }),
    );
  });

  it('a long text finds itself, and not another one that begins alike', () => {
    const long = 'x'.repeat(40_000);
    const tokens = metadataTokens({ text: `${long}a` });
    expect(tokens.every((token) => Buffer.byteLength(token) < 32_766)).toBe(true);
    expect(finds(filterClauses({ text: `${long}a` }), tokens)).toBe(true);
    expect(finds(filterClauses({ text: `${long}b` }), tokens)).toBe(false);
  });
});
