import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UNAVAILABLE, type ColumnValue } from '../../schemas/envelope.ts';
import { columnValue, TEXT, type ColumnType } from './column-value.ts';

const arrayOf = (element: ColumnType, delimiter = ','): ColumnType => ({ kind: 'array', delimiter, element });
const read = (text: string, type: ColumnType): ColumnValue => columnValue({ kind: 'text', text }, type);
const INTEGER: ColumnType = { kind: 'integer' };

describe('scalars', () => {
  test.each<[string, ColumnType, ColumnValue]>([
    ['12', INTEGER, 12],
    ['-9007199254740991', INTEGER, -9_007_199_254_740_991],
    ['9007199254740993', INTEGER, '9007199254740993'],
    ['t', { kind: 'boolean' }, true],
    ['f', { kind: 'boolean' }, false],
    ['{not,an,array}', TEXT, '{not,an,array}'],
    ['1 2 3', arrayOf(INTEGER), '1 2 3'],
  ])('%s as %j is %j', (text, type, value) => {
    expect(read(text, type)).toEqual(value);
  });

  test('NULL is null, and an unchanged value is the placeholder also where an array is expected', () => {
    expect(columnValue({ kind: 'null' }, arrayOf(TEXT))).toBeNull();
    expect(columnValue({ kind: 'unchanged' }, arrayOf(TEXT))).toBe(UNAVAILABLE);
    expect(columnValue({ kind: 'unchanged' }, INTEGER)).toBe(UNAVAILABLE);
  });
});

describe('arrays', () => {
  test.each<[string, ColumnType, ColumnValue]>([
    ['{}', arrayOf(TEXT), []],
    ['{a,"b c","d\\"e","f\\\\g",NULL,"NULL",""}', arrayOf(TEXT), ['a', 'b c', 'd"e', 'f\\g', null, 'NULL', '']],
    ['[2:3]={5,6}', arrayOf(INTEGER), [5, 6]],
    [
      '{{1,2},{3,NULL}}',
      arrayOf(INTEGER),
      [
        [1, 2],
        [3, null],
      ],
    ],
    ['{t,f,NULL}', arrayOf({ kind: 'boolean' }), [true, false, null]],
    ['{(1,2),(0,0);(3,4),(0,0)}', arrayOf(TEXT, ';'), ['(1,2),(0,0)', '(3,4),(0,0)']],
    ['{"{nested}","a,b"}', arrayOf(TEXT), ['{nested}', 'a,b']],
    ['{broken', arrayOf(TEXT), '{broken'],
  ])('%s', (literal, type, value) => {
    expect(read(literal, type)).toEqual(value);
  });

  test('every array of texts comes back as it was', () => {
    const quote = (text: string | null): string => (text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`);
    fc.assert(
      fc.property(fc.array(fc.option(fc.string({ unit: 'binary' })), { maxLength: 8 }), (texts) => {
        expect(read(`{${texts.map(quote).join(',')}}`, arrayOf(TEXT))).toEqual(texts);
      }),
    );
  });
});
