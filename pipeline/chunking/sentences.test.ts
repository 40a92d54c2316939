import { expect, it } from 'vitest';
import { eachSentenceStart } from './sentences.ts';

function sentences(text: string): string[] {
  const units = Uint16Array.from(text, (_, i) => text.charCodeAt(i));
  const bounds = [0];
  eachSentenceStart(text, units, 0, text.length, (at) => bounds.push(at));
  return bounds.map((start, i) => text.slice(start, bounds[i + 1]).trim());
}

it.each([
  ['ends at full stop, question and exclamation mark', 'One. Two? Three! Four', ['One.', 'Two?', 'Three!', 'Four']],
  ['a decimal point ends nothing', 'It costs 3.50 now. Pay.', ['It costs 3.50 now.', 'Pay.']],
  [
    'an abbreviation ends nothing',
    'Ask Dr. Miller, e.g. Anna (cf. Fig. 3). Then go.',
    ['Ask Dr. Miller, e.g. Anna (cf. Fig. 3).', 'Then go.'],
  ],
  ['an initial ends nothing', 'By J. R. Smith. Done.', ['By J. R. Smith.', 'Done.']],
  ['a stop before a small letter ends nothing', 'Use node.js or v. small things.', ['Use node.js or v. small things.']],
  ['closing quotes and brackets belong to their sentence', '"Go." (Now!) He went.', ['"Go."', '(Now!)', 'He went.']],
  ['Chinese and Japanese stops need no space', '今天很好。明天呢？再见！', ['今天很好。', '明天呢？', '再见！']],
  ['dots in a row are one end', 'Wait... Now. End', ['Wait...', 'Now.', 'End']],
  [
    'an address of a site is no end',
    'See www.example.com/a.b for it. End.',
    ['See www.example.com/a.b for it.', 'End.'],
  ],
  ['a line break is white space', 'One.\nTwo.', ['One.', 'Two.']],
])('%s', (_, text, expected) => {
  expect(sentences(text)).toEqual(expected);
});
