import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { GUARDS } from './guards.ts';
import { otherBy, sameBut } from './pairs.ts';

const [none, exact, named, worded, polite] = GUARDS;

describe('a guard takes two questions for the same or not', () => {
  const same = (guard: typeof none, one: string, other: string) => guard?.of(one) === guard?.of(other);

  test.each([
    ['Who won in 2018?', 'Who won in 2019?'],
    ['Is it shown?', 'Is it not shown?'],
    ['What does `drain` do?', 'What does `pause` do?'],
    ['What does job.remove do?', 'What does job.retry do?'],
  ])('numbers, quotes, identifiers and negation: %s / %s', (one, other) => {
    expect(GUARDS.map((guard) => same(guard, one, other))).toEqual([true, false, false, false, false]);
  });

  test.each([
    ['Who acquired Instagram?', 'Who acquired Flickr?'],
    ['Who came first?', 'Who came last?'],
    ['When was it built?', 'Where was it built?'],
  ])('names, turning words and the word that asks: %s / %s', (one, other) => {
    expect(GUARDS.map((guard) => same(guard, one, other))).toEqual([true, true, false, false, false]);
  });

  test('all words but polite phrases', () => {
    expect(same(polite, 'Can you tell me where it is?', 'Where is it?')).toBe(false);
    for (const framed of ['Can you tell me: where is it?', 'Please tell me where is it', 'where is it? Thanks!'])
      expect(same(polite, framed, 'Where is it?'), framed).toBe(true);
    expect(same(worded, 'Where is the old bridge?', 'Where is the bridge that is old?')).toBe(true);
    expect(same(named, 'Where is the old bridge?', 'Where is the new bridge?')).toBe(true);
    expect(same(exact, 'In 2018 or 2019?', 'In 2019 or 2018?')).toBe(true);
  });
});

test('pairs are different questions, and the same at every run', () => {
  const question = 'Who won the most medals at the Winter Olympics of 2018?';
  const make = () => [
    ...sameBut(question, seededRandom(1)),
    ...otherBy(question, ['Which team has Peyton Manning left?'], seededRandom(1)),
  ];
  expect(make()).toEqual(make());
  expect(make().every(({ first, second }) => first === question && second !== question)).toBe(true);
  expect(make().flatMap(({ kind, second }) => (kind === 'edit' ? [second] : []))).toEqual([
    'Who won the most medals at the Winter Olympics of 2019?',
    'Who won the least medals at the Winter Olympics of 2018?',
    'Who lost the most medals at the Winter Olympics of 2018?',
    'Who won the most medals at the Peyton Manning of 2018?',
  ]);
});
