import { CodeUnits } from '../../onnx/code-units.ts';
import type { Tokenizer } from '../embedder.ts';

/** Most ASCII letters or digits in one token: English prose has 4 to 5 characters a token, identifiers and numbers fewer. */
const MAX_WORD_UNITS = 3;

const SPACE = 0;
const LETTER = 1;
const SINGLE = 2;
const LOW_SURROGATE = 3;

/** White space as JavaScript's `\s`, and control characters: no tokenizer makes more tokens of it than of what stands around it. */
function classOf(unit: number): number {
  if (unit <= 0x20 || unit === 0x7f || (unit >= 0x80 && unit <= 0xa0)) return SPACE;
  if (unit < 0x80) {
    const letterOrDigit = (unit >= 0x30 && unit <= 0x39) || ((unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a);
    return letterOrDigit ? LETTER : SINGLE;
  }
  if (unit === 0x1680 || (unit >= 0x2000 && unit <= 0x200a)) return SPACE;
  if (unit === 0x2028 || unit === 0x2029 || unit === 0x202f || unit === 0x205f || unit === 0x3000 || unit === 0xfeff)
    return SPACE;
  return (unit & 0xfc00) === 0xdc00 ? LOW_SURROGATE : SINGLE;
}

const classes = new Uint8Array(65_536).map((_, unit) => classOf(unit));
const codeUnits = new CodeUnits();

/**
 * Counts tokens of a model whose vocabulary is not at hand, rather too many than too few: at most three ASCII letters or digits a token, every
 * other character one by itself. English prose comes out at 1.5 to 2 times its real count, so passages become shorter than they could be; take the
 * model's own `tokenizer.json` where there is one.
 */
export const approximateTokenizer: Tokenizer = {
  count: (text) => scan(text, undefined),
  starts(text) {
    const out = new Uint32Array(text.length);
    return out.slice(0, scan(text, out));
  },
};

function scan(text: string, out: Uint32Array | undefined): number {
  const units = codeUnits.read(text);
  let count = 0;
  let inWord = 0;
  let before = SPACE;
  for (let at = 0; at < text.length; at++) {
    const kind = classes[units[at] ?? 0] ?? SINGLE;
    inWord = kind === LETTER && before === LETTER && inWord < MAX_WORD_UNITS ? inWord + 1 : 1;
    // The second half of a pair belongs to its first; one without a first is a character of its own.
    const insidePair = kind === LOW_SURROGATE && at > 0 && ((units[at - 1] ?? 0) & 0xfc00) === 0xd800;
    const begins = kind !== SPACE && !insidePair && (kind !== LETTER || inWord === 1);
    if (begins) {
      if (out) out[count] = at;
      count++;
    }
    before = kind;
  }
  return count;
}
