import { chunkText } from '../../pipeline/chunking/chunk-text.ts';
import { createPiiPolicy } from '../../pipeline/pii/policy.ts';
import { redact } from '../../pipeline/pii/redact.ts';
import { openTokenizer } from '../../ports/embedder/remote/open-tokenizer.ts';
import { wordTokenizer } from '../../ports/embedder/word-tokenizer.ts';
import { textOf } from '../corpus.ts';
import { cpuSecondsHere, Figures, load, type Scenario } from '../measure.ts';

const TEXTS = 2_000;
const CHARACTERS = 2_200;
const MB = 1e6;
const CHUNK = { maxTokens: 220, overlapTokens: 24 };

export const stages: Scenario = {
  name: 'stages',
  question: 'How fast are the stages that look at every character, on one core, by CPU time?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const texts = Array.from({ length: quick ? 200 : TEXTS }, (_, n) => markdownOf(n));
    const megabytes = texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0) / MB;
    const policy = createPiiPolicy({ mode: 'mask' });
    const { tokenizer: bge } = await openTokenizer({ kind: 'bge' });
    const rate = (work: (text: string) => unknown): number => {
      for (const text of texts.slice(0, 200)) work(text);
      return megabytes / cpuSecondsHere(() => texts.forEach(work));
    };
    for (let round = 0; round < rounds; round++) {
      const chunkWords = rate((text) => chunkText(text, 'markdown', { ...CHUNK, tokenizer: wordTokenizer }));
      const bare = rate((text) => bge.starts(text));
      const chunkBge = rate((text) => chunkText(text, 'markdown', { ...CHUNK, tokenizer: bge }));
      const pii = rate((text) => redact({ name: 'body', text }, policy, 'default', new Map()));
      figures.add('chunker, words for tokens', 'MB/s', chunkWords, { atLeast: 200, from: 'G15' });
      figures.add('chunker, tokens of bge-small', 'MB/s', chunkBge);
      figures.add('the bare tokenizer', 'MB/s', bare);
      figures.add('chunker / bare tokenizer', 'ratio', chunkBge / bare, { atLeast: 0.9, from: 'G15' });
      figures.add('PII, every text has digits', 'MB/s', pii, { atLeast: 250, from: 'G16' });
      figures.add('load average', '', load());
      say(`chunker ${chunkWords.toFixed(0)} and ${chunkBge.toFixed(0)}, PII ${pii.toFixed(0)} MB/s`);
    }
    return {
      figures: figures.all,
      notes: [
        'CPU time of this process, garbage collection included. Every text has a heading, a list, a time, a telephone number and a version number.',
        'There is no near-duplicate sketch in the product: passages are compared by their hash. How many passages the edit of one sentence moves is in `ingest`.',
      ],
    };
  },
};

function markdownOf(n: number): string {
  const half = textOf(n, CHARACTERS / 2);
  return `# Article ${n}\n\n${half}\n\n## At ${n % 24}:30\n\n- call +1-555-01${10 + (n % 90)}-${1_000 + (n % 9_000)}\n- version 2.${n}.1\n\n${textOf(n + 1_000_000, CHARACTERS / 2)}\n`;
}
