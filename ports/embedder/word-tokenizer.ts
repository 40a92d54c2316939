import { CodeUnits } from '../onnx/code-units.ts';
import type { Tokenizer } from './embedder.ts';

/** Classes of UTF-16 code units for splitting a text into words. */
const SPACE = 0;
const WORD = 1;
const SINGLE = 2;

const classOf = new Uint8Array(65_536).fill(WORD);
function mark(first: number, last: number, kind: number): void {
  classOf.fill(kind, first, last + 1);
}
mark(0x00, 0x20, SPACE);
mark(0x21, 0x2f, SINGLE);
mark(0x3a, 0x40, SINGLE);
mark(0x5b, 0x60, SINGLE);
mark(0x7b, 0x7e, SINGLE);
mark(0x7f, 0xa0, SPACE);
mark(0xa1, 0xbf, SINGLE);
mark(0x2000, 0x200b, SPACE);
mark(0x2010, 0x2027, SINGLE);
mark(0x2028, 0x2029, SPACE);
mark(0x202f, 0x202f, SPACE);
mark(0x2030, 0x205e, SINGLE);
mark(0x3000, 0x3000, SPACE);
mark(0x3001, 0x3020, SINGLE);
mark(0x3400, 0x4dbf, SINGLE); // CJK ideographs: one token each, as BERT splits them
mark(0x4e00, 0x9fff, SINGLE);
mark(0xf900, 0xfaff, SINGLE);
mark(0xfeff, 0xfeff, SPACE);
mark(0xff01, 0xff0f, SINGLE);

/** Calls `visit` with the span of every token, in order. One pass, no backtracking. */
export function eachWord(text: string, visit: (start: number, end: number) => void): void {
  const { length } = text;
  let at = 0;
  while (at < length) {
    const kind = classOf[text.charCodeAt(at)];
    const start = at++;
    if (kind === SPACE) continue;
    if (kind === WORD) while (at < length && classOf[text.charCodeAt(at)] === WORD) at++;
    visit(start, at);
  }
}

const codeUnits = new CodeUnits();

/** Words, punctuation marks and CJK ideographs, one token each: the tokens of `hashEmbedder`, and of any use without a model. */
export const wordTokenizer: Tokenizer = {
  count(text) {
    const { length } = text;
    const units = codeUnits.read(text);
    let count = 0;
    let before = SPACE;
    for (let at = 0; at < length; at++) {
      const kind = classOf[units[at] ?? 0] ?? WORD;
      if (kind === SINGLE || (kind === WORD && before !== WORD)) count++;
      before = kind;
    }
    return count;
  },
  starts(text) {
    const { length } = text;
    const units = codeUnits.read(text);
    let out = new Uint32Array(Math.min(length, (length >> 2) + 16));
    let count = 0;
    let before = SPACE;
    for (let at = 0; at < length; at++) {
      const kind = classOf[units[at] ?? 0] ?? WORD;
      if (kind === SINGLE || (kind === WORD && before !== WORD)) {
        if (count === out.length) {
          const larger = new Uint32Array(Math.min(length, count * 2));
          larger.set(out);
          out = larger;
        }
        out[count++] = at;
      }
      before = kind;
    }
    return out.subarray(0, count);
  },
};
