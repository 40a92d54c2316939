import fc from 'fast-check';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import type { Reranker } from '../reranker/reranker.ts';
import { describe, expect, test } from 'vitest';
import { extractiveGenerator } from './extractive-generator.ts';
import { generatorConformance } from './generator.conformance.ts';
import type { GenerateEvent, Generator, GroundingPassage } from './generator.ts';
import { selectEvidence } from './select-evidence.ts';
import { splitSentences } from './split-sentences.ts';

generatorConformance('extractive', extractiveGenerator);

const passage = (text: string, over: Partial<GroundingPassage> = {}): GroundingPassage => ({
  marker: 1,
  rank: 1,
  title: 'Guide',
  text,
  ...over,
});

async function answer(question: string, ...passages: GroundingPassage[]): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of extractiveGenerator().generate({ question, passages }, new AbortController().signal))
    events.push(event);
  return events;
}

describe('the extractive generator', () => {
  test('quotes the sentence that answers and cites it', async () => {
    const text = 'Workers process jobs. The lock duration is 30 seconds by default. Queues live in Redis.';
    expect(await answer('What is the default lock duration?', passage(text))).toEqual([
      { kind: 'token', text: 'The lock duration is 30 seconds by default. [1]' },
      { kind: 'citation', marker: 1, quote: 'The lock duration is 30 seconds by default.' },
      { kind: 'done', refused: false, usage: expect.objectContaining({}) as never },
    ]);
  });

  test('says that it does not know when the passages are about something else', async () => {
    const events = await answer(
      'Who painted the ceiling of the Sistine Chapel?',
      passage('Workers process jobs in Redis.'),
    );
    expect(events.at(-1)).toMatchObject({ kind: 'done', refused: true });
    expect(events.some((event) => event.kind === 'citation')).toBe(false);
  });

  test('takes the list along that a sentence announces', () => {
    const text =
      'Supported job states include:\n\n- waiting in line\n- active in a worker\n- completed\n\nUnrelated words follow.';
    const { evidence } = selectEvidence('Which job states are supported?', [passage(text)]);
    expect(evidence[0]?.quote).toBe(
      'Supported job states include:\n\n- waiting in line\n- active in a worker\n- completed',
    );
  });

  test('every quote is a substring of its passage', () => {
    const fragment = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.constantFrom('\n', '\n\n', '# ', '- ', '```\n', '. ', 'lock duration', '[a](b)', '| x | y |', 'e.g. '),
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 30 }), fc.string({ maxLength: 40 }), (parts, question) => {
        const text = parts.join('');
        const { evidence } = selectEvidence(`${question} lock duration`, [passage(text)]);
        for (const { quote } of evidence) expect(text).toContain(quote);
      }),
    );
  });
});

describe('with a judge', () => {
  const LOCKS = 'The lock duration is 30 seconds by default.';
  const judging = (score: Reranker['score']) => {
    const calls = { opened: 0, closed: 0, asked: [] as string[] };
    const open = async (): Promise<Reranker> => {
      calls.opened++;
      return {
        name: 'judge',
        score: (request, signal) => {
          calls.asked.push(...request.texts);
          return score(request, signal);
        },
        probe: async () => 'serves',
        [Symbol.asyncDispose]: async () => void calls.closed++,
      };
    };
    return { calls, open };
  };
  const ask = async (generator: Generator, question: string, text: string): Promise<boolean> => {
    const signal = new AbortController().signal;
    for await (const event of generator.generate({ question, passages: [passage(text)] }, signal))
      if (event.kind === 'done') return !event.refused;
    throw new Error('never done');
  };

  test('words that agree do not answer where the judge is sure that the passage does not', async () => {
    const { open } = judging(async ({ texts }) => texts.map(() => -11));
    await using generator = extractiveGenerator(open);
    expect(await ask(generator, 'What is the lock duration of Fastify?', LOCKS)).toBe(false);
  });

  test('few words in common answer where the judge is sure', async () => {
    const { open } = judging(async ({ texts }) => texts.map(() => 9));
    const question = 'How many seconds may a worker take until its claim on a job runs out?';
    await using generator = extractiveGenerator(open);
    await using alone = extractiveGenerator();
    expect(await ask(generator, question, LOCKS)).toBe(true);
    expect(await ask(alone, question, LOCKS)).toBe(false);
  });

  test('the words decide when it fails, cannot be opened, or the question is in a script it has not learned', async () => {
    const failing = judging(async () => {
      throw new RerankerUnavailable('The reranking model failed.');
    });
    const chinese = judging(async () => [-11]);
    for (const open of [failing.open, () => Promise.reject(new Error('no file'))]) {
      await using generator = extractiveGenerator(open);
      expect(await ask(generator, 'What is the default lock duration?', LOCKS)).toBe(true);
    }
    await using generator = extractiveGenerator(chinese.open);
    expect(await ask(generator, '锁定时间是多久', '默认的锁定时间是三十秒，可以在设置中修改。')).toBe(true);
    expect(chinese.calls.opened).toBe(0);
  });

  test('it is opened for the first question, once, and closed with the generator', async () => {
    const { open, calls } = judging(async ({ texts }) => texts.map(() => 9));
    const generator = extractiveGenerator(open);
    expect(calls.opened).toBe(0);
    await Promise.all([ask(generator, 'lock duration', LOCKS), ask(generator, 'lock duration', LOCKS)]);
    expect(calls).toEqual({ opened: 1, closed: 0, asked: [`Guide\n${LOCKS}`, `Guide\n${LOCKS}`] });
    await generator[Symbol.asyncDispose]();
    expect(calls.closed).toBe(1);
  });

  test('a question that nobody waits for ends with the reason', async () => {
    const caller = new AbortController();
    const { open } = judging((_request, signal) => {
      caller.abort(new Error('left'));
      return Promise.reject(signal.reason as Error);
    });
    await using generator = extractiveGenerator(open);
    const asked = generator
      .generate({ question: 'lock duration', passages: [passage(LOCKS)] }, caller.signal)
      [Symbol.asyncIterator]()
      .next();
    await expect(asked).rejects.toThrow('left');
  });
});

describe('sentence spans', () => {
  const quotes = (text: string) => splitSentences(text).map(({ start, end }) => text.slice(start, end));

  test('leave headings, badges and tables of contents out', () => {
    const text =
      '# A heading of some length\n\n[![build passing](https://x/badge.svg)](https://x)\n\n- [Contents of one](#one)\n- [Contents of two](#two)\n\nThis is the text itself.';
    expect(quotes(text)).toEqual(['This is the text itself.']);
  });

  test('join wrapped lines and part the sentences on one line', () => {
    const text =
      'This line was wrapped by an editor at seventy characters or so and\ngoes on here. A second sentence, e.g. this one, follows.';
    expect(quotes(text)).toEqual([
      'This line was wrapped by an editor at seventy characters or so and\ngoes on here.',
      'A second sentence, e.g. this one, follows.',
    ]);
  });

  test('keep a fenced block whole', () => {
    expect(splitSentences('Run this command:\n```sh\nnpm install bullmq\nnpm start\n```\n')).toEqual([
      { start: 0, end: 17, kind: 'prose' },
      { start: 24, end: 52, kind: 'code' },
    ]);
  });

  test('take time in proportion to the text, whatever it is made of', () => {
    for (const attack of ['[', '![', '](', '<a', '. ', '|', '- ', '`', '"', '.)', '\n>', '#'])
      expect(splitSentences(attack.repeat(200_000)).length).toBeLessThan(200_001);
  });
});
