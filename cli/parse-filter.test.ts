import { expect, test } from 'vitest';
import { InvalidUsage } from '../runtime/errors.ts';
import { parseFilter } from './parse-filter.ts';

test.each([
  [['kind=faq'], { kind: 'faq' }],
  [['kind=faq', 'kind=guide'], { kind: ['faq', 'guide'] }],
  [['year>=2020', 'year<2024'], { year: { gte: 2020, lt: 2024 } }],
  [['day >= 2024-01-01'], { day: { gte: '2024-01-01' } }],
  [['code="007"', 'n=7', 'open=true'], { code: '007', n: 7, open: true }],
  [['formula=a=b'], { formula: 'a=b' }],
  [[], undefined],
])('%j', (conditions, filter) => {
  expect(parseFilter(conditions)).toEqual(filter);
});

test.each([[['kind']], [['=x']], [['kind=']], [['open<true']], [['a=1', 'a<2']]])(
  '%j is a wrong usage',
  (conditions) => {
    expect(() => parseFilter(conditions)).toThrow(InvalidUsage);
  },
);

test('a name of the prototype is a name like any other', () => {
  const filter = parseFilter(['__proto__=x']);
  expect(Object.getOwnPropertyNames(filter)).toEqual(['__proto__']);
  expect(({} as { x?: unknown }).x).toBeUndefined();
});
