import { expect, it } from 'vitest';
import fc from 'fast-check';
import { recursiveSplit } from './recursive-splitter.ts';

const texts = (text: string, chunkSize: number, overlap: number) =>
  recursiveSplit(text, { chunkSize, overlap }).map(({ start, end }) => text.slice(start, end));

it("splits the text of LangChain's own test as LangChain does", () => {
  const text =
    "Hi.\n\nI'm Harrison.\n\nHow? Are? You?\nOkay then f f f f.\nThis is a weird text to write, but gotta test the splittingggg some how.\n\nBye!\n\n-H.";
  expect(texts(text, 10, 1)).toEqual(
    "Hi.|I'm|Harrison.|How? Are?|You?|Okay then|f f f f.|This is a|weird|text to|write,|but gotta|test the|splitting|gggg|some how.|Bye!|-H.".split(
      '|',
    ),
  );
});

it('a passage begins with words of the one before, up to the overlap', () => {
  expect(texts('one two three four five', 10, 4)).toEqual(['one two', 'two three', 'four five']);
});

it('no passage is too long, and none of the text is lost', () => {
  const any = fc.array(fc.constantFrom('word', 'a', ' ', '\n', '\n\n', 'longer-than-that'), { maxLength: 60 });
  fc.assert(
    fc.property(any, fc.integer({ min: 4, max: 40 }), fc.nat(3), (parts, chunkSize, overlap) => {
      const text = parts.join('');
      const spans = recursiveSplit(text, { chunkSize, overlap });
      const covered = new Set(
        spans.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
      );
      expect(Math.max(0, ...spans.map(({ start, end }) => end - start))).toBeLessThanOrEqual(chunkSize);
      expect(Array.from(text).every((char, i) => char.trim() === '' || covered.has(i))).toBe(true);
    }),
  );
});
