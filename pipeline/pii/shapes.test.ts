import { describe, expect, it } from 'vitest';
import { digitRun, extendShape, letterRun, ShapeIndex, shapesOf } from './shapes.ts';

const HYPHEN = 45;

describe('shapes', () => {
  it('a template becomes run lengths', () => {
    expect(shapesOf('999-99A')).toEqual([[digitRun(3), HYPHEN, digitRun(2), letterRun(1)]]);
  });

  it('`~` is the same separator at every place', () => {
    expect(shapesOf('9~9')).toEqual([
      [digitRun(2)],
      [digitRun(1), 32, digitRun(1)],
      [digitRun(1), HYPHEN, digitRun(1)],
      [digitRun(1), 46, digitRun(1)],
    ]);
  });

  it('`X` is a digit or a letter, and joins the runs beside it', () => {
    expect(shapesOf('9X')).toEqual([[digitRun(2)], [digitRun(1), letterRun(1)]]);
  });

  it('the index finds a value by the hash of its runs and by nothing else', () => {
    const index = new ShapeIndex([
      ['999-99', 'a'],
      ['999-99', 'b'],
      ['AA9', 'c'],
    ]);
    const runs = Uint16Array.of(digitRun(3), HYPHEN, digitRun(2));
    const hash = runs.reduce(extendShape, 0);
    expect(index.mayHave(hash)).toBe(true);
    expect(index.at(hash, runs, 0, 3)).toEqual(['a', 'b']);
    expect(index.at(hash, Uint16Array.of(digitRun(3), 46, digitRun(2)), 0, 3)).toEqual([]);
    expect(index.longest).toBe(3);
  });
});
