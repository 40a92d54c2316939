import { describe, expect, it } from 'vitest';
import { aResult, aRunOf } from '../../test/support/eval-result.ts';
import { compareResults } from '../compare/compare-results.ts';
import { comparisonPage } from './comparison-page.ts';
import { comparisonText } from './comparison-text.ts';
import { historyPage, historyText, trendsOf } from './history-page.ts';

const ten = (value: number) => Array.from({ length: 10 }, () => value);
const standsAlone = (page: string) => expect(page).not.toMatch(/<(script|link|img)|https?:|url\(/);

describe('a comparison', () => {
  const worse = compareResults(aRunOf(ten(0.8)), aRunOf(ten(0.5), { commit: null, model: '<m>' }));

  it('says in the terminal what was compared, and ends in a sentence', () => {
    expect(comparisonText(worse)).toEqual([
      'A: retrieval of 2026-01-02T03:04:05.000Z, commit 0123456789, settings aaaaaaaaaaaa, a-model, sqlite',
      'B: retrieval of 2026-01-02T03:04:05.000Z, no checkout, settings aaaaaaaaaaaa, <m>, sqlite',
      'set  metric          queries  differ      A      B  change              95 %      p  verdict',
      'adi  hybrid nDCG@10       10      10  0.800  0.500  -0.300  -0.300 to -0.300  0.002    worse',
      'B is worse: adi hybrid nDCG@10.',
    ]);
  });

  it('is a page that stands alone, with a mark to the left of 0 for what is worse', () => {
    const page = comparisonPage(worse);
    standsAlone(page);
    expect(page).toContain('&lt;m&gt;');
    expect(page).toContain('<g class="series-0">');
    const zero = /class="floor" x1="([\d.]+)"/.exec(page)?.[1];
    const mark = /<rect class="mark" x="([\d.]+)"/.exec(page)?.[1];
    expect(Number(mark)).toBeLessThan(Number(zero));
  });

  it('of equal runs says that there is no evidence', () => {
    const same = compareResults(aResult(), aResult());
    expect(comparisonText(same).at(-1)).toBe('No evidence of a difference in 1 metrics.');
    expect(comparisonPage(same)).not.toContain('<g class="series-0">');
  });
});

describe('a history', () => {
  const other = aResult({ sets: [{ set: 'late', queries: ['q'], metrics: [{ metric: 'm', values: [1] }] }] });
  const runs = [aRunOf([0.5]), other, aRunOf([0.75])];

  it('follows every metric through the runs that have it', () => {
    expect(trendsOf(runs)).toEqual([
      {
        set: 'adi',
        metric: 'hybrid nDCG@10',
        points: [
          { run: 0, mean: 0.5 },
          { run: 2, mean: 0.75 },
        ],
      },
      { set: 'late', metric: 'm', points: [{ run: 1, mean: 1 }] },
    ]);
    expect(historyText(runs).at(-2)?.split(/ {2,}/)).toEqual([
      'adi',
      'hybrid nDCG@10',
      '2',
      '0.500',
      '0.750',
      '+0.250',
      '0.500',
      '0.750',
    ]);
  });

  it('is a page that stands alone', () => {
    standsAlone(historyPage(runs));
    expect(historyPage(runs).match(/<svg/g)).toHaveLength(2);
    expect(historyPage([aRunOf([0.5])])).not.toContain('NaN');
  });
});
