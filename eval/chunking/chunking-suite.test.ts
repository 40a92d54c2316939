import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { chunkingPage } from '../report/chunking-page.ts';
import { chunkingText } from '../report/chunking-table.ts';
import { QUERY_CONFIG } from '../../test/support/query-api.ts';
import { openVectorFile } from '../retrieval/vector-file.ts';
import { chunkersOf, type ChunkingReport } from './chunking-suite.ts';
import type { Chunker } from './fill-passages.ts';
import { measureChunker } from './measure-chunker.ts';
import { readChunkingSet, type ChunkingSet } from './read-chunking-set.ts';

const wanted = 'The harbour of Bergen has nine quays.';
const filler = 'Nothing of it is said anywhere in this sentence about bread and snow. '.repeat(40).trim();
const text = `${filler} ${wanted} ${filler}`;
const place = { start: text.indexOf(wanted), end: text.indexOf(wanted) + wanted.length };
const set: ChunkingSet = {
  texts: [
    { id: 'ports', title: '', text },
    { id: 'other', title: '', text: filler },
  ],
  questions: [{ id: 'q', question: 'How many quays has the harbour of Bergen?', text: 'ports', excerpts: [place] }],
};

const oracle: Chunker = {
  name: 'oracle',
  cut: (body) => {
    if (body !== text) return [{ start: 0, end: body.length, headings: [] }];
    return [
      { start: 0, end: place.start - 1, headings: [] },
      { ...place, headings: [] },
      { start: place.end + 1, end: body.length, headings: [] },
    ];
  },
};
const whole: Chunker = { name: 'whole', cut: (body) => [{ start: 0, end: body.length, headings: [] }] };

async function measure(chunkers: readonly Chunker[], budgets: readonly number[]) {
  const embedder = hashEmbedder();
  await using cache = openVectorFile(':memory:');
  const parts = { embedder, cache, config: QUERY_CONFIG.pipeline, clock: systemClock, metrics: createMetrics() };
  const signal = new AbortController().signal;
  const results = [];
  for (const chunker of chunkers) results.push(await measureChunker(set, chunker, budgets, parts, signal));
  return { results, tokens: embedder.tokenizer.count(wanted) };
}

it('a chunker that cuts at the answer has it all in a budget of its size, one that cuts nowhere has none of it', async () => {
  const size = hashEmbedder().tokenizer.count(wanted);
  const { results } = await measure([oracle, whole], [size, 2 * size]);
  const [best, worst] = results;
  expect(best).toMatchObject({ passages: 4, budgets: [{ budgetTokens: size }, { budgetTokens: 2 * size }] });
  expect(best?.budgets[0]?.pooled).toMatchObject({ recall: { mean: 1 }, precision: { mean: 1 }, iou: { mean: 1 } });
  expect(best?.budgets[1]?.byText['ports']).toMatchObject({ recall: { mean: 1 }, precision: { mean: 0.5 } });
  expect(best?.atTargetIou).toEqual({ budgetTokens: 10 * size, recall: 1 });
  expect(worst?.budgets[0]?.pooled).toMatchObject({ recall: { mean: 0 }, iou: { mean: 0 } });
  expect(worst?.atTargetIou).toBeUndefined();
});

it('the report has a row for every chunker and the difference to the product', async () => {
  const chunkers = chunkersOf({ maxTokens: 60, overlapTokens: 8 }, hashEmbedder().tokenizer);
  const { results } = await measure(chunkers, [200]);
  const report: ChunkingReport = {
    suite: 'chunking',
    model: 'hash <1>',
    sets: [{ set: 'small', texts: 2, questions: 1, chunkers: results }],
    missing: ['gone'],
  };
  const printed = chunkingText(report).join('\n');
  for (const { name } of chunkers) expect(printed).toContain(name);
  expect(printed).toMatch(/recursive 400\/0 characters +200 +\d.* [+-]\d\.\d{3} +[+-]\d/);
  const page = chunkingPage(report);
  expect(page).toContain('Not on this machine: gone.');
  expect(page).toContain('hash &lt;1&gt;');
});

describe('the files of a set', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-eval-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function write(references: readonly object[]): Promise<void> {
    const lines = {
      'corpus.jsonl': { _id: 't', title: 'T', text: 'one two three' },
      'queries.jsonl': { _id: 'q', text: 'which?' },
      'answers.jsonl': { _id: 'q', corpus_id: 't', references },
    };
    for (const [file, line] of Object.entries(lines)) await writeFile(join(folder, file), `${JSON.stringify(line)}\n`);
  }

  it('excerpts that overlap are one', async () => {
    await write([
      { content: 'two three', start_index: 4, end_index: 13 },
      { content: 'one two', start_index: 0, end_index: 7 },
    ]);
    expect(await readChunkingSet(folder, '.')).toEqual({
      texts: [{ id: 't', title: 'T', text: 'one two three' }],
      questions: [{ id: 'q', question: 'which?', text: 't', excerpts: [{ start: 0, end: 13 }] }],
    });
  });

  it('an excerpt that does not stand where the file says is an error, not a lower figure', async () => {
    await write([{ content: 'two', start_index: 5, end_index: 8 }]);
    await expect(readChunkingSet(folder, '.')).rejects.toThrow('an excerpt of q does not stand at 5 of t');
  });

  it('a set that is not there is no error', async () => {
    expect(await readChunkingSet(folder, 'nowhere')).toBeUndefined();
  });
});
