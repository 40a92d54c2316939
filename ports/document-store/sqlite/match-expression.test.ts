import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matchExpression } from './match-expression.ts';

it.each([
  ['Fox hare', '"fox" OR "hare"'],
  ['how do I configure the fox', '"configure" OR "fox"'],
  ['v1.13.0', '"v1 13 0"'],
  ['bullmq.job.extendLock', '"bullmq job extendlock" OR "bullmq" OR "job" OR "extendlock"'],
  ['say "yes" OR no*', '"say" OR "yes"'],
  ['the', '"the"'],
  ['- ? !', undefined],
  ['boundary-layer (well-known)', '"boundary" OR "layer" OR "well" OR "known"'],
  ['--until-caught-up', '"until caught up" OR "until" OR "caught"'],
  ['x-y', '"x y"'],
  ['黑豹队', '"黑 豹" OR "豹 队"'],
  ['黑', '"黑"'],
  ['NFL球队 308分', '"nfl 球" OR "球 队" OR "nfl" OR "308 分" OR "308"'],
  ['データベースを', '"データベース を" OR "データベース"'],
])('%j becomes %s', (text, expression) => {
  expect(matchExpression(text)).toBe(expression);
});

it('nothing in a text is syntax: the expression is quoted words joined by OR', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(matchExpression(text) ?? '"a"').toMatch(
        /^"[\p{L}\p{N}\p{Co}\p{M} ]+"( OR "[\p{L}\p{N}\p{Co}\p{M} ]+")*$/u,
      );
    }),
  );
});

it('a long text is cut to a number of terms', () => {
  const text = Array.from({ length: 500 }, (_, i) => `w${i}`).join(' ');
  expect(matchExpression(text)?.split(' OR ')).toHaveLength(48);
});
