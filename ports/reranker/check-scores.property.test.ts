import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkScores } from './check-scores.ts';

const scored = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 });
const shuffled = scored.chain((scores) =>
  fc.record({
    scores: fc.constant(scores),
    entries: fc.shuffledSubarray(
      scores.map((score, index) => ({ index, score })),
      { minLength: scores.length },
    ),
  }),
);

test('a whole reply gives every text its score, whatever the order of the reply', () => {
  fc.assert(
    fc.property(shuffled, ({ scores, entries }) => {
      expect(checkScores(entries, scores.length)).toEqual(scores);
    }),
  );
});

test('a reply with one entry spoilt, missing, repeated or added is refused', () => {
  const spoilt = fc.oneof(
    fc.constantFrom(null, undefined, '0.5', Number.NaN, Infinity, -Infinity).map((score) => ({ score })),
    fc.constantFrom(-1, 0.5, 1e9, Number.NaN, '0', null, undefined).map((index) => ({ index })),
  );
  const filled = shuffled.filter(({ entries }) => entries.length > 0);
  fc.assert(
    fc.property(filled, fc.nat(), spoilt, ({ entries }, at, change) => {
      const { length } = entries;
      const place = at % length;
      const entry = entries[place]!;
      expect(typeof checkScores(entries.with(place, { ...entry, ...change } as typeof entry), length)).toBe('string');
      expect(typeof checkScores(entries.toSpliced(place, 1), length)).toBe('string');
      expect(typeof checkScores([...entries, entry], length)).toBe('string');
      if (length > 1) expect(typeof checkScores(entries.with((place + 1) % length, entry), length)).toBe('string');
    }),
  );
});
