import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerateEvent, GenerateRequest, Generator } from './generator.ts';

const GROUNDED: GenerateRequest = {
  question: 'How long is a job lock held before it expires?',
  passages: [
    {
      marker: 1,
      rank: 1,
      title: 'Locks',
      text: 'A job lock is held for 30 seconds before it expires. Workers renew it.',
    },
    { marker: 2, rank: 2, title: 'Queues', text: 'A queue holds jobs until a worker takes them.' },
  ],
};

/** The meaning of `Generator`, as a suite. An adapter's test is one call. */
export function generatorConformance(name: string, open: () => Promise<Generator> | Generator): void {
  describe(`generator: ${name}`, () => {
    let generator: Generator;
    beforeAll(async () => {
      generator = await open();
    });
    afterAll(() => generator[Symbol.asyncDispose]());

    test('names its model', () => {
      expect(generator.model).not.toBe('');
    });

    test('ends with exactly one done', async () => {
      const events = await collect(generator, GROUNDED);
      expect(events.filter((event) => event.kind === 'done')).toHaveLength(1);
      expect(events.at(-1)?.kind).toBe('done');
    });

    test('cites only passages that it was given', async () => {
      const markers = GROUNDED.passages.map((passage) => passage.marker);
      for (const event of await collect(generator, GROUNDED))
        if (event.kind === 'citation') expect(markers).toContain(event.marker);
    });

    test('refuses, without a citation, when there is no passage', async () => {
      const events = await collect(generator, { question: GROUNDED.question, passages: [] });
      expect(events.filter((event) => event.kind === 'citation')).toEqual([]);
      expect(events.at(-1)).toMatchObject({ kind: 'done', refused: true });
    });

    test('counts what it used', async () => {
      const done = (await collect(generator, GROUNDED)).at(-1);
      expect(done?.kind === 'done' && done.usage.promptTokens).toBeGreaterThan(0);
      expect(done?.kind === 'done' && done.usage.completionTokens).toBeGreaterThan(0);
    });

    test('an aborted signal stops it', async () => {
      const reason = new Error('gone');
      await expect(collect(generator, GROUNDED, AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}

async function collect(
  generator: Generator,
  request: GenerateRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generator.generate(request, signal)) events.push(event);
  return events;
}
