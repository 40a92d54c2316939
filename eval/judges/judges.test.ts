import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { calibrateJudges, ratedAnswers, type RatedAnswer } from './calibrate-judges.ts';
import { knowledgePrecision, ruleJudges, type Judge, type JudgedAnswer } from './rule-judges.ts';

const signal = new AbortController().signal;
const CONTEXTS = ['A job lock is held for 30 seconds. Workers renew it.', 'Flour makes bread.'];
const FAITHFUL = 'The job lock is held for 30 seconds.';
const MADE_UP = 'The job lock is held for 90 minutes by Redis.';

const scores = async (answer: JudgedAnswer) =>
  Object.fromEntries(
    await Promise.all(
      ruleJudges(hashEmbedder(), signal).map(async (judge) => [judge.name, await judge.score(answer)] as const),
    ),
  );

describe('judges by rules', () => {
  it('prefer what the contexts say to what is made up', async () => {
    const asked = { question: 'How long is a job lock held?', contexts: CONTEXTS };
    const [said, madeUp] = [await scores({ ...asked, answer: FAITHFUL }), await scores({ ...asked, answer: MADE_UP })];
    for (const name of ['statements borne out', 'words of the contexts', 'nearest sentence'])
      expect(said[name], name).toBeGreaterThan(madeUp[name]!);
    expect(said['statements borne out']).toBe(1);
  });

  it('prefer an answer that says what the reference says', async () => {
    const asked = { question: 'q?', contexts: CONTEXTS, reference: `${FAITHFUL} Workers renew it.` };
    const [whole, half] = [
      await scores({ ...asked, answer: asked.reference }),
      await scores({ ...asked, answer: 'Bread.' }),
    ];
    for (const name of ['statements of the reference', 'words of the reference', 'likeness to the reference'])
      expect(whole[name], name).toBeGreaterThan(half[name]!);
  });

  it('say nothing where there is nothing to hold an answer against', async () => {
    expect(knowledgePrecision({ answer: FAITHFUL, contexts: [] })).toBeUndefined();
    expect(knowledgePrecision({ answer: '...', contexts: CONTEXTS })).toBeUndefined();
    expect(await scores({ question: 'q', answer: FAITHFUL, contexts: [] })).toMatchObject({
      'statements borne out': undefined,
      'words of the reference': undefined,
    });
  });
});

describe('calibration', () => {
  const rated = (task: string, figure: number): RatedAnswer => ({
    task,
    question: 'q',
    answer: String(figure),
    contexts: [],
    human: { faithfulness: figure, appropriateness: 5 - figure, completeness: 2, naturalness: figure },
    raters: { faithfulness: [figure, figure], appropriateness: [1], completeness: [2, 2], naturalness: [1, 2] },
  });
  const answers = Array.from({ length: 10 }, (_, task) => [1, 2, 3].map((figure) => rated(`t${task}`, figure))).flat();
  const judge = (name: string, score: Judge['score']): Judge => ({ name, judges: 'faithfulness', score });

  it('lets a judge pass that orders as people do, and none that is against them or does not look', async () => {
    const rows = await calibrateJudges(answers, [
      judge('reads', async ({ answer }) => Number(answer)),
      judge('sleeps', async () => 1),
      judge('declines', async () => undefined),
    ]);
    const passed = rows.filter(({ correlates }) => correlates).map(({ judge: name, human }) => `${name}: ${human}`);
    expect(passed).toEqual(['reads: faithfulness', 'reads: naturalness', 'one person: faithfulness']);
    expect(rows.find(({ judge: name, human }) => name === 'reads' && human === 'appropriateness')).toMatchObject({
      agreement: { texts: 30, spearman: { value: -1 }, pairwise: { value: 0 } },
    });
    expect(rows.find(({ judge: name }) => name === 'declines')?.agreement.texts).toBe(0);
  });

  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'freshet-judges-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  it('reads what people said, and holds a model against the reference but not the reference against itself', async () => {
    expect(await ratedAnswers(root)).toBeUndefined();
    const folder = join(root, 'mtrag-human-eval-subset');
    await mkdir(folder);
    const lines = (...values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
    const said = (...values: string[]) => Object.fromEntries(values.map((value, rater) => [rater, { value }]));
    const annotations = {
      faithfulness: said('4', '2'),
      appropriateness: said('4'),
      completeness: said('3'),
      naturalness: said('1'),
    };
    const by = (model: string, task = 'q') => ({
      task_id: task,
      model_id: model,
      model_response: `${model} says`,
      annotations,
    });
    await writeFile(join(folder, 'corpus.jsonl'), lines({ _id: 'p', text: 'context' }));
    await writeFile(join(folder, 'queries.jsonl'), lines({ _id: 'q', text: 'what?' }));
    await writeFile(join(folder, 'qrels.tsv'), 'query-id\tcorpus-id\tscore\nq\tp\t1\n');
    await writeFile(join(folder, 'evaluations.jsonl'), lines(by('reference'), by('m'), by('m', 'without contexts')));
    const found = await ratedAnswers(root);
    expect(found?.map(({ answer, reference }) => [answer, reference])).toEqual([
      ['reference says', undefined],
      ['m says', 'reference says'],
    ]);
    expect(found?.[1]).toMatchObject({
      contexts: ['context'],
      human: { faithfulness: 3 },
      raters: { naturalness: [1] },
    });
  });
});
