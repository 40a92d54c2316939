import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_JSON_DEPTH, parseStrictJson } from './strict-json.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text));
const fault = (text: string) => {
  const parsed = parse(text);
  return parsed.kind === 'fault' ? parsed.fault : undefined;
};

describe('strict JSON', () => {
  test('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false } as never), (text) => {
        const parsed = parse(text);
        if (parsed.kind === 'value') expect(parsed.value).toEqual(exact(JSON.parse(text)));
        else expect(parsed.fault.detail).toMatch(/not allowed/);
      }),
    );
  });

  test('never takes what JSON.parse refuses', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[{}[\],:"\\ tfn0-9eE.+-]*$/), (text) => {
        let isValid = true;
        try {
          JSON.parse(text);
        } catch {
          isValid = false;
        }
        if (!isValid) expect(parse(text).kind).toBe('fault');
      }),
      { numRuns: 2_000 },
    );
  });

  test('names the pointer of a duplicated name', () => {
    expect(fault('{"a":[{"b/c":1,"b/c":2}]}')).toEqual({ pointer: '/a/0/b~1c', detail: 'occurs twice' });
  });

  test.each([
    '{"__proto__":{"polluted":1}}',
    '{"a":{"constructor":{"prototype":{"polluted":1}}}}',
    '{"\\u005f_proto__":1}',
  ])('refuses a name that reaches a prototype: %s', (text) => {
    expect(fault(text)?.detail).toBe('has a name that is not allowed');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each([
    '',
    '{',
    '[1,]',
    '{"a":1,}',
    'NaN',
    'Infinity',
    '01',
    '1.',
    "{'a':1}",
    '"\u0001"',
    '"\\x"',
    '1 2',
    '\ufeff{}',
    'tru',
  ])('refuses %j', (text) => {
    expect(parse(text).kind).toBe('fault');
  });

  test('refuses invalid UTF-8', () => {
    expect(parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22)).kind).toBe('fault');
  });

  test('refuses a number beyond a double and keeps a large integer exactly', () => {
    expect(fault('{"a":1e400}')?.pointer).toBe('/a');
    expect(parse('9007199254740993')).toEqual({ kind: 'value', value: 9007199254740993n });
    expect(parse('-9007199254740993')).toEqual({ kind: 'value', value: -9007199254740993n });
  });

  test('takes the deepest allowed nesting and refuses the next', () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect(parse(nested(MAX_JSON_DEPTH)).kind).toBe('value');
    expect(parse(nested(MAX_JSON_DEPTH + 1)).kind).toBe('fault');
    expect(parse('['.repeat(1_000_000)).kind).toBe('fault');
  });
});

/** Integers that JSON.parse has rounded are not comparable; fast-check's doubles print with an exponent or are safe. */
function exact(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return expect.anything();
  if (Array.isArray(value)) return value.map(exact);
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, exact(inner)]));
  return value;
}
