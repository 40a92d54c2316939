import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSupport } from './check-support.ts';

const EVIDENCE =
  'Bayer raised its dividend to $0.13 per share in March 2021. Revenue increased by 1,250 units while costs fell. ' +
  'The plant in Leverkusen did not close, and two people were hurt.';

/** What of the claim the evidence does not bear out, plain words left out. */
const contradictions = (claim: string) =>
  checkSupport(claim, EVIDENCE)
    .unsupported.filter(({ reason }) => reason !== 'word')
    .map(({ start, end, reason }) => `${reason}: ${claim.slice(start, end)}`);

describe('a claim is supported', () => {
  test.each([
    'Bayer raised its dividend to $0.13 per share.',
    'Revenue increased by 1250 units.',
    'The plant in Leverkusen did not close.',
    '2 people were hurt in Leverkusen.',
  ])('%s', (claim) => {
    expect(checkSupport(claim, EVIDENCE)).toMatchObject({ supported: true });
    expect(contradictions(claim)).toEqual([]);
  });
});

describe('a claim is not supported when', () => {
  test.each([
    ['a number is another one', 'Bayer raised its dividend to $0.15 per share.', 'number: $0.15'],
    ['a name is another one', 'The plant in Dormagen did not close.', 'name: Dormagen'],
    ['a word is turned into its opposite', 'Revenue decreased by 1,250 units.', 'opposite: decreased'],
    ['the opposite is said of something else only', 'Bayer cut its dividend per share.', 'opposite: cut'],
    ['a "not" is added', "Revenue didn't increase by 1,250 units.", "negation: didn't"],
  ])('%s', (_, claim, found) => {
    expect(contradictions(claim)).toEqual([found]);
    expect(checkSupport(claim, EVIDENCE).supported).toBe(false);
  });

  test('it is about something else, with no number or name to tell', () => {
    const verdict = checkSupport('Roses want plenty of water in summer.', EVIDENCE);
    expect(verdict).toMatchObject({ supported: false, score: 0 });
  });

  test('there is no evidence, or no claim', () => {
    expect(checkSupport('Revenue increased.', '').supported).toBe(false);
    expect(checkSupport('', EVIDENCE).supported).toBe(false);
  });
});

test('numbers are compared as amounts, not as they are written', () => {
  expect(checkSupport('It costs $1,250.00 in all.', 'In all it costs 1250.').supported).toBe(true);
  expect(checkSupport('It costs $1,251.00 in all.', 'In all it costs 1250.').supported).toBe(false);
});

test('a sentence without a negation supports itself, and a number that it lacks breaks it', () => {
  const word = fc.constantFrom('river', 'Berlin', 'grows', 'market', 'seven', 'yesterday', '42', 'rises', 'the', 'of');
  fc.assert(
    fc.property(fc.array(word, { minLength: 3, maxLength: 20 }), (words) => {
      const sentence = `River ${words.join(' ')}`;
      const verdict = checkSupport(sentence, sentence);
      expect(verdict).toEqual({ supported: true, score: 1, unsupported: [] });
      expect(checkSupport(`${sentence} 9173`, sentence).supported).toBe(false);
    }),
  );
});

test('spans lie in the claim in reading order, whatever it is made of', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.string({ maxLength: 200 }), (claim, evidence) => {
      const { unsupported, score } = checkSupport(claim, evidence);
      let last = 0;
      for (const { start, end } of unsupported) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThan(start);
        last = end;
      }
      expect(last).toBeLessThanOrEqual(claim.length);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
    }),
  );
});
