import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WaitingTexts, type Call, type WaitingText } from './waiting-texts.ts';

const call = (kind: Call['kind']): Call => ({
  kind,
  vectors: [],
  remaining: 1,
  settled: false,
  resolve: () => undefined,
  reject: () => undefined,
});

const waiting = (tokens: number, kind: Call['kind'], maxCompany = Infinity): WaitingText => ({
  text: 'x',
  tokens,
  call: call(kind),
  index: 0,
  failures: 0,
  overloads: 0,
  rejections: 0,
  arrival: 0,
  maxCompany,
});

const anyText = fc
  .tuple(fc.integer({ min: 2, max: 120 }), fc.constantFrom('query', 'passage'), fc.constantFrom(1, 2, Infinity))
  .map(([tokens, kind, maxCompany]) => waiting(tokens, kind as Call['kind'], maxCompany));

it('every text is taken exactly once, within the limits, queries first', () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 200 }), fc.integer({ min: 0, max: 1 }), (texts, reserved) => {
      const limits = { maxTexts: 7, maxTokens: 300 };
      const queue = new WaitingTexts(limits);
      queue.add(texts);
      const taken: WaitingText[] = [];
      let passagesBegan = false;
      for (let batch = queue.take(reserved); batch; batch = queue.take(reserved)) {
        const { texts: own, kind } = batch;
        expect(own.every((text) => text.call.kind === kind)).toBe(true);
        if (kind === 'passage') passagesBegan = true;
        else expect(passagesBegan).toBe(false);
        if (own.length > 1) {
          expect(own.length + reserved).toBeLessThanOrEqual(limits.maxTexts);
          expect(batch.tokens).toBeLessThanOrEqual(limits.maxTokens);
          expect(own.length).toBeLessThanOrEqual(Math.min(...own.map((text) => text.maxCompany)));
        }
        taken.push(...own);
      }
      expect(new Set(taken).size).toBe(taken.length);
      expect(taken).toHaveLength(texts.length);
      expect(queue.size).toBe(0);
    }),
  );
});

it('no text waits for ever, however many that fit each other better come after it', () => {
  const queue = new WaitingTexts({ maxTexts: 4, maxTokens: 1_000 });
  const odd = waiting(120, 'passage');
  queue.add([odd]);
  queue.add(Array.from({ length: 100 }, () => waiting(5, 'passage')));
  expect(queue.take()?.texts).toContain(odd);
});

it('texts of calls that have ended are not taken', () => {
  const queue = new WaitingTexts({ maxTexts: 4, maxTokens: 1_000 });
  const texts = Array.from({ length: 10 }, (_, i) => waiting(5, i % 2 ? 'query' : 'passage'));
  queue.add(texts);
  for (const text of texts) text.call.settled = true;
  expect(queue.take()).toBeUndefined();
});

it('what was sent in vain goes before what waits', () => {
  const queue = new WaitingTexts({ maxTexts: 1, maxTokens: 1_000 });
  const [first, second] = [waiting(5, 'passage'), waiting(5, 'passage')];
  queue.add([first, second]);
  const taken = queue.take()?.texts ?? [];
  queue.putBack(taken);
  expect(queue.take()?.texts).toEqual([first]);
});
