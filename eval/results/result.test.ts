import { describe, expect, it } from 'vitest';
import { aResult } from '../../test/support/eval-result.ts';
import { parseResult, resultOf } from './result.ts';

const text = (changes: object): string => JSON.stringify({ ...aResult(), ...changes });

describe('a stored run', () => {
  it('is read as it was written', () => {
    expect(parseResult(JSON.stringify(aResult()))).toEqual(aResult());
  });

  it('keeps four digits', () => {
    const { sets } = resultOf(aResult(), [
      { set: 's', queries: ['q'], metrics: [{ metric: 'm', values: [0.123456789] }] },
    ]);
    expect(sets[0]?.metrics[0]?.values).toEqual([0.1235]);
  });

  const [set] = aResult().sets;
  it.each([
    ['{', 'is not JSON'],
    ['[]', 'is not an object'],
    [text({ version: 2 }), 'has the version 2; this Freshet reads 1'],
    [text({ version: undefined }), 'has the version none; this Freshet reads 1'],
    [text({ model: 1 }), 'lacks the text model'],
    [text({ commit: undefined }), 'lacks the commit'],
    [text({ sets: {} }), 'lacks the list of sets'],
    [text({ sets: [{}] }), 'has a set without a name'],
    [text({ sets: [{ ...set, queries: [1] }] }), 'has no queries or no metrics for adi'],
    [text({ sets: [{ ...set, queries: ['q1', 'q1'] }] }), 'has a query of adi twice'],
    [text({ sets: [{ ...set, metrics: [{ metric: 'm', values: ['1'] }] }] }), 'has a metric of adi without a name'],
    [text({ sets: [{ ...set, queries: ['q1'] }] }), 'has 4 figures of hybrid nDCG@10 for 1 queries of adi'],
  ])('%s is refused', (json, why) => {
    expect(() => parseResult(json)).toThrow(why);
  });
});
