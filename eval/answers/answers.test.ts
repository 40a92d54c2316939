import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { measureSupport } from './answers-suite.ts';
import { judgeCitations } from './judge-citations.ts';
import { measureRefusal } from './measure-refusal.ts';
import { rgbCases, xquadCases } from './refusal-cases.ts';
import { statementsOf } from './statements-of.ts';
import { summeditsPairs, wicePairs } from './support-pairs.ts';

const signal = new AbortController().signal;
const SHARED = fileURLToPath(new URL('../../../shared/data/eval', import.meta.url));

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'freshet-answers-'));
});
afterEach(() => rm(root, { recursive: true }));

const write = async (path: string, ...lines: readonly unknown[]) => {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(
    join(root, path),
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  );
};

describe('cases of refusal', () => {
  test('of rgb pair each question with the texts that answer it and with those that do not', async () => {
    await write('rgb/x/corpus.jsonl', { _id: 'p', text: 'yes' }, { _id: 'n', text: 'no' });
    await write('rgb/x/queries.jsonl', { _id: 'q', text: 'is it?' }, { _id: 'r', text: 'and this?' });
    await write('rgb/x/qrels.tsv', 'query-id\tcorpus-id\tscore', 'q\tp\t1', 'r\tp\t1');
    await write(
      'rgb/x/answers.jsonl',
      { _id: 'q', positive: ['p'], negative: ['n'] },
      { _id: 'r', positive: ['p'], negative: [] },
    );
    const cases = await rgbCases(root, 'rgb/x');
    expect(
      cases?.map(({ question, answerable, passages }) => [question, answerable, passages.map((p) => p.text)]),
    ).toEqual([
      ['is it?', true, ['yes']],
      ['is it?', false, ['no']],
      ['and this?', true, ['yes']],
    ]);
  });

  test('of xquad set the own paragraph against the others of its article', async () => {
    const ids = ['a0p0', 'a0p1', 'a1p0'];
    await write('xquad/x/corpus.jsonl', ...ids.map((_id) => ({ _id, text: _id })));
    await write('xquad/x/queries.jsonl', { _id: 'q', text: 'which?' });
    await write('xquad/x/qrels.tsv', 'query-id\tcorpus-id\tscore', 'q\ta0p1\t1');
    const cases = await xquadCases(root, 'xquad/x');
    expect(cases?.map(({ answerable, passages }) => [answerable, passages.map((p) => p.text)])).toEqual([
      [true, ['a0p1']],
      [false, ['a0p0']],
    ]);
  });

  test('and pairs of support are left out where the data is not', async () => {
    expect(await rgbCases(root, 'rgb/x')).toBeUndefined();
    expect(await xquadCases(root, 'xquad/x')).toBeUndefined();
    expect(await wicePairs(root)).toBeUndefined();
    expect(await summeditsPairs(root)).toBeUndefined();
  });
});

test('an answer counts as yes and a refusal as no', async () => {
  const passages = [{ title: '', text: 'The lock lasts 30 seconds by default.' }];
  const result = await measureRefusal(
    [
      { question: 'How long does the lock last?', passages, answerable: true },
      { question: 'Who painted the Sistine Chapel?', passages, answerable: false },
      { question: 'Does the lock last long?', passages, answerable: false },
    ],
    extractiveGenerator(),
    signal,
  );
  expect([result.saidYesOfYes.mean, result.saidNoOfNo.mean, result.balancedAccuracy.mean]).toEqual([1, 0.5, 0.75]);
});

describe('citations', () => {
  const answer = (text: string, ...quotes: string[]) =>
    ({
      answer: text,
      citations: quotes.map((quote, i) => ({ marker: i + 1, passageId: `p${i + 1}`, documentId: 'd', quote })),
    }) as unknown as AnswerResponse;

  test('belong to the words before their markers', () => {
    expect(statementsOf('Jobs are retried. [1] Three times. [2][3] Or not.')).toEqual([
      { text: 'Jobs are retried.', markers: [1] },
      { text: 'Three times.', markers: [2, 3] },
      { text: 'Or not.', markers: [] },
    ]);
  });

  test('count when the quote stands in its passage and bears the statement out', () => {
    const texts = new Map([['p1', 'Jobs are retried 3 times. More.']]);
    const quote = 'Jobs are retried 3 times.';
    const all = { citations: 1, literal: 1, statements: 1, borneOut: 1 };
    expect(judgeCitations(answer('Jobs are retried three times. [1]', quote), texts)).toEqual(all);
    expect(judgeCitations(answer('Jobs are retried 5 times. [1]', quote), texts)).toEqual({ ...all, borneOut: 0 });
    expect(judgeCitations(answer('Jobs are retried 3 times.', quote), texts)).toEqual({ ...all, borneOut: 0 });
    expect(judgeCitations(answer('Jobs are retried 3 times. [1]', quote), new Map())).toEqual({ ...all, literal: 0 });
  });
});

describe.skipIf(!existsSync(`${SHARED}/summedits/pairs.jsonl`))('the support checker (needs shared/data/eval)', () => {
  test('is ahead of SummaC-Conv on summedits and of a coin by ten points on wice', async () => {
    const measured = measureSupport([...(await summeditsPairs(SHARED))!, ...(await wicePairs(SHARED))!]);
    const found = Object.fromEntries(measured.map(({ name, result }) => [name, result.balancedAccuracy.mean]));
    const domains = Object.entries(found).filter(([name]) => name.startsWith('summedits'));
    expect(domains.reduce((sum, [, each]) => sum + each, 0) / domains.length).toBeGreaterThan(0.655);
    for (const [name, each] of domains) expect(each, name).toBeGreaterThan(0.571);
    expect(found['wice, other half']).toBeGreaterThan(0.6);
  });
});
