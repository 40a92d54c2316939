import { expect, it } from 'vitest';
import type { AnswersReport } from '../answers/answers-suite.ts';
import { answersPage } from './answers-page.ts';
import { answersText } from './answers-table.ts';

const interval = (mean: number) => ({ mean, low: mean - 0.05, high: mean + 0.05 });
const result = (yes: number, no: number) => ({
  positives: 10,
  negatives: 20,
  saidYesOfYes: interval(yes),
  saidNoOfNo: interval(no),
  balancedAccuracy: interval((yes + no) / 2),
  right: [],
});

const report: AnswersReport = {
  suite: 'answers',
  generator: 'extractive',
  refusal: [{ name: '<rgb>', result: result(0.9, 0.5) }],
  support: [
    { name: 'summedits, news', result: result(0.8, 0.4) },
    { name: 'summedits, podcast', result: result(0.9, 0.5) },
  ],
  product: [
    {
      name: 'docs',
      refusal: result(1, 0.9),
      citations: { citations: 4, literal: 4, statements: 5, borneOut: 4 },
      citesRelevant: interval(0.75),
      citesRelevantByQuery: [1, 1, 1, 0],
      contextPrecision: interval(0.8),
      contextRecall: interval(0.9),
      faithfulness: interval(0.95),
      contextByQuery: { precision: [], recall: [] },
    },
  ],
  missing: ['wice'],
};

it('the terminal shows refusals, support beside what was published, and citations', () => {
  const lines = answersText(report);
  expect(lines.find((line) => line.startsWith('<rgb>'))?.split(/ +/)).toEqual([
    '<rgb>',
    '10+20',
    '50.0',
    '45.0-55.0',
    '10.0',
    '5.0-15.0',
    '70.0',
    '65.0-75.0',
  ]);
  expect(lines.find((line) => line.startsWith('Support'))).toContain('SummaC-Conv 57.1, QAFactEval 65.5');
  expect(lines.find((line) => line.startsWith('summedits, mean'))).toMatch(/ 65\.0$/);
  expect(lines.at(-1)?.split(/ +/)).toEqual(['docs', '80.0', '75.0-85.0', '90.0', '85.0-95.0', '95.0', '90.0-100.0']);
  expect(lines.findLast((line) => line.startsWith('docs') && line !== lines.at(-1))).toMatch(
    /^docs +4 +100\.0 +5 +80\.0 +75\.0 +70\.0-80\.0$/,
  );
});

it('the page stands alone, names what is missing and takes names of sets as text', () => {
  const page = answersPage(report);
  expect(page).not.toMatch(/<(script|link|img)|https?:|url\(|NaN/);
  expect(page).toContain('Not on this machine: wice.');
  expect(page).toContain('&lt;rgb&gt;');
  expect(page).not.toContain('<rgb>');
});
