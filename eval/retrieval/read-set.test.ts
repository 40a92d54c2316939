import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSet } from './read-set.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-eval-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const lines = (...values: readonly object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

const corpus = lines({ _id: 'd1', title: 'One', text: 'first' }, { _id: 'd2', text: 'second' });

it('reads documents, queries and what is relevant to each', async () => {
  await write({
    'corpus.jsonl': corpus,
    'queries.jsonl': lines({ _id: 'q1', text: 'which?', metadata: {} }),
    'qrels.tsv': 'query-id\tcorpus-id\tscore\nq1\td2\t2\r\nq1\td1\t0\n',
  });
  expect(await readSet(folder, '.')).toEqual({
    name: '.',
    documents: [
      { id: 'd1', title: 'One', text: 'first' },
      { id: 'd2', title: '', text: 'second' },
    ],
    queries: [
      {
        id: 'q1',
        text: 'which?',
        judgements: new Map([
          ['d2', 2],
          ['d1', 0],
        ]),
      },
    ],
  });
});

it('a query without a relevant document is left out', async () => {
  await write({
    'corpus.jsonl': corpus,
    'queries.jsonl': lines({ _id: 'unjudged', text: 'a' }, { _id: 'refuted', text: 'b' }, { _id: 'q', text: 'c' }),
    'qrels.tsv': 'query-id\tcorpus-id\tscore\nrefuted\td1\t0\nq\td1\t1\n',
  });
  expect((await readSet(folder, '.'))?.queries.map(({ id }) => id)).toEqual(['q']);
});

it('a set that is not there, or lacks a file, is no error', async () => {
  expect(await readSet(folder, 'nowhere')).toBeUndefined();
  await write({ 'corpus.jsonl': corpus });
  expect(await readSet(folder, '.')).toBeUndefined();
});
