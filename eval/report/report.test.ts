import { expect, it } from 'vitest';
import type { RetrievalReport } from '../retrieval/retrieval-suite.ts';
import { htmlReport } from './html-report.ts';
import { intervalPlot } from './interval-plot.ts';
import { textTable } from './text-table.ts';

const leg = (name: 'lexical' | 'dense' | 'hybrid', mean: number) => ({
  leg: name,
  ndcg10: { mean, low: mean - 0.05, high: mean + 0.05 },
  recall10: 0.8,
  recall100: 0.95,
  mrr10: 0.6,
  p50Ms: 12.34,
  ndcg10ByQuery: [mean],
  recall10ByQuery: [0.8],
  mrr10ByQuery: [0.6],
});

const report: RetrievalReport = {
  model: 'a-model',
  chunk: { maxTokens: 220, overlapTokens: 24 },
  sets: [
    {
      set: '<adi>',
      documents: 82,
      passages: 90,
      queries: 35,
      queryIds: ['q1'],
      legs: [leg('lexical', 0.5), leg('dense', 0.4), leg('hybrid', 0.55)],
      floors: { hybrid: { ndcg10: 0.519, recall10: 0.569 } },
    },
  ],
  missing: ['scifact'],
};

it('the terminal shows every leg with its interval, beside the floor where there is one', () => {
  expect(textTable(report)).toEqual([
    'set    leg      nDCG@10         95 %  floor  recall@10  floor  recall@100  MRR@10  p50 ms',
    '<adi>  lexical    0.500  0.450-0.550             0.800              0.950   0.600    12.3',
    '<adi>  dense      0.400  0.350-0.450             0.800              0.950   0.600    12.3',
    '<adi>  hybrid     0.550  0.500-0.600  0.519      0.800  0.569       0.950   0.600    12.3',
  ]);
});

it('the page stands alone, names what is missing and takes names of sets as text', () => {
  const page = htmlReport(report);
  expect(page).not.toMatch(/<(script|link|img)|https?:|url\(/);
  expect(page).toContain('Not on this machine: scifact.');
  expect(page).toContain('&lt;adi&gt;');
  expect(page).not.toContain('<adi>');
  expect(page.match(/<svg/g)).toHaveLength(1);
  expect(page).toContain('prefers-color-scheme: dark');
});

it('a plot places marks on the axis from 0 to 1', () => {
  const plot = intervalPlot('a plot', [
    { name: 'one', marks: [{ series: 1, name: 'dense', value: { mean: 0.5, low: 0, high: 1 }, floor: 0.25 }] },
  ]);
  expect(plot).toContain('<circle class="mark" cx="445"');
  expect(plot).toContain('<line class="interval" x1="190" x2="700"');
  expect(plot).toContain('<line class="floor" x1="317.5"');
});
