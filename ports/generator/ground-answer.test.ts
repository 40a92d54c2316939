import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GroundingPassage } from './generator.ts';
import { AnswerGrounder, type GroundedPiece } from './ground-answer.ts';

const LOCKS = 'Workers process jobs. A job lock is held for 30 seconds before it expires. Workers renew the lock.';
const QUEUES = 'A queue keeps its jobs in Redis until a worker takes them.';
const PASSAGES: readonly GroundingPassage[] = [
  { marker: 1, rank: 1, title: 'Locks', text: LOCKS },
  { marker: 2, rank: 2, title: 'Queues', text: QUEUES },
];
const LOCK_QUOTE = 'A job lock is held for 30 seconds before it expires.';

/** The answer as a caller reads it, and what it cites. */
function ground(parts: readonly string[], mode: 'mark' | 'drop' = 'mark') {
  const grounder = new AnswerGrounder(PASSAGES, mode);
  const pieces: GroundedPiece[] = [...parts.flatMap((part) => grounder.push(part)), ...grounder.end()];
  return {
    text: pieces.map((piece) => (piece.kind === 'token' ? piece.text : '')).join(''),
    citations: pieces.flatMap((piece) => (piece.kind === 'citation' ? [[piece.marker, piece.quote] as const] : [])),
  };
}

describe('a grounded answer', () => {
  test.each([
    ['behind the full stop', 'A job lock is held for 30 seconds. [1]', 'A job lock is held for 30 seconds. [1]'],
    ['before it', 'A job lock is held for 30 seconds [1].', 'A job lock is held for 30 seconds [1].'],
    ['without a space', 'A job lock is held for 30 seconds.[1]', 'A job lock is held for 30 seconds. [1]'],
    ['with another one', 'The job lock is held for 30 seconds. [1, 2]', 'The job lock is held for 30 seconds. [1]'],
  ])('keeps a marker %s and cites the sentence that says so', (_where, said, expected) => {
    expect(ground([said])).toEqual({ text: expected, citations: [[1, LOCK_QUOTE]] });
  });

  test('leaves out a marker whose passage says something else, or is not there, and marks the claim', () => {
    expect(ground(['The moon orbits the distant earth. [1] Cats chase small mice daily. [9]'])).toEqual({
      text: 'The moon orbits the distant earth. [unverified] Cats chase small mice daily. [unverified]',
      citations: [],
    });
  });

  test('cites what the model forgot to cite', () => {
    expect(ground(['A queue keeps its jobs in Redis. Workers renew the lock [1].'])).toEqual({
      text: 'A queue keeps its jobs in Redis. [2] Workers renew the lock [1].',
      citations: [
        [2, QUEUES],
        [1, 'Workers renew the lock.'],
      ],
    });
  });

  test('does not let a citation cover what is said behind it', () => {
    expect(
      ground(['A job lock is held for 30 seconds [1] and invented details follow afterwards somewhere.']).text,
    ).toBe('A job lock is held for 30 seconds [1] and invented details follow afterwards somewhere. [unverified]');
  });

  test('a claim with another number, or a denial, is not supported', () => {
    expect(ground(['A job lock is held for 60 seconds. [1]']).citations).toEqual([]);
    expect(ground(['A job lock is not held for 30 seconds. [1]']).citations).toEqual([]);
  });

  test('leaves lead-ins, questions, headings and short words alone', () => {
    const said = '## Locks and queues of jobs\nThese are the important facts:\nYes.\n';
    expect(ground([said])).toEqual({ text: said, citations: [] });
  });

  test('an index in code is no marker', () => {
    expect(ground(['Read `jobs[1]` first.']).text).toContain('`jobs[1]`');
    const code = '```js\nconst first = jobs[1];\n```\n';
    expect(ground([code]).text).toContain('jobs[1];');
  });

  test('each line of a list is a claim of its own', () => {
    expect(ground(['- A queue keeps its jobs in Redis [2]\n- Elephants never forget their friends\n']).text).toBe(
      '- A queue keeps its jobs in Redis [2]\n- Elephants never forget their friends [unverified]\n',
    );
  });

  test('in mode drop, leaves out what is not supported', () => {
    const said =
      'A queue keeps its jobs in Redis. [2] Elephants never forget their friends. Workers renew the lock. [1]';
    expect(ground([said], 'drop').text.replaceAll(/\s+/g, ' ')).toBe(
      'A queue keeps its jobs in Redis. [2] Workers renew the lock. [1]',
    );
  });

  test('passes text on as it comes, and holds only what may be a marker', () => {
    const grounder = new AnswerGrounder(PASSAGES, 'mark');
    expect(grounder.push('A job')).toEqual([{ kind: 'token', text: 'A job' }]);
    expect(grounder.push(' lock is held for 30 seconds [')).toEqual([
      { kind: 'token', text: ' lock is held for 30 seconds' },
    ]);
    expect(grounder.push('1')).toEqual([]);
    expect(grounder.push(']')).toEqual([
      { kind: 'token', text: ' [1]' },
      { kind: 'citation', marker: 1, quote: LOCK_QUOTE },
    ]);
  });
});

describe('whatever a model says', () => {
  const fragment = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom('[1]', ' [2]', '[', ']', '[1', ', 2]', '. ', '.', '\n', '```', '```\n', '`', '- ', 'e.g. ', '[9]'),
    fc.constantFrom('A job lock is held for 30 seconds', 'A queue keeps its jobs in Redis', '锁。', '?', '3.5'),
  );
  const said = fc.array(fragment, { maxLength: 24 });
  const modes = fc.constantFrom('mark' as const, 'drop' as const);

  test('how it was cut into pieces changes nothing', () => {
    fc.assert(
      fc.property(said, modes, (parts, mode) => {
        expect(ground(parts, mode)).toEqual(ground(parts.join('').split(''), mode));
        expect(ground(parts, mode)).toEqual(ground([parts.join('')], mode));
      }),
      { numRuns: 300 },
    );
  });

  test('every citation has its marker in the text and its quote in the passage', () => {
    fc.assert(
      fc.property(said, modes, (parts, mode) => {
        const { text, citations } = ground(parts, mode);
        for (const [marker, quote] of citations) {
          expect(text).toContain(`[${marker}]`);
          expect(PASSAGES[marker - 1]?.text).toContain(quote);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('no word is lost in mode mark', () => {
    const words = (text: string) => text.replaceAll(/\[\s*[\d,;\s]+\]|\[unverified\]/g, '').replaceAll(/\s/g, '');
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('word', ' ', '. ', '\n', 'Redis', '。', '- '), { maxLength: 40 }),
        (parts) => {
          expect(words(ground(parts).text)).toBe(words(parts.join('')));
        },
      ),
    );
  });
});
