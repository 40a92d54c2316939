/*
 * The text as recognisers see it: one byte per character, so that one loop over a typed array serves every script. Characters
 * that only hide a value (zero-width, soft hyphen) are gone, look-alikes of digits and separators (full width, Arabic-Indic,
 * Unicode dashes and spaces) are the ASCII ones, `%40` and `&#64;` are decoded. A map leads back to the original.
 */

/** Latin, Greek or Cyrillic letter outside Latin-1: part of a word. */
const OTHER_LETTER = 0xe1;
/** Everything else, also letters of scripts that are written without spaces: a boundary. */
const OTHER = 0x02;
/** Needs a second look: removed, a surrogate, or the first character of an encoded one. */
const SPECIAL = 0;

/** The normalised text of one field. It is only valid until the next view is made: the bytes are shared. */
export interface View {
  readonly bytes: Buffer;
  readonly length: number;
  readonly original: string;
  /** `offsets[i]` is the index in `original` of byte `i`, with one entry more for the end; null: the same index. */
  readonly offsets: Int32Array | null;
}

/** First code points of the decimal digits 0-9 that are not ASCII, in the Basic Multilingual Plane (Unicode category Nd). */
const DIGIT_ZEROS = [
  0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50,
  0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50,
  0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

const PERCENT = 37;
const AMPERSAND = 38;
const BACKSLASH = 92;

/** Byte for each UTF-16 code unit. */
const FOLD = foldTable();

function foldTable(): Uint8Array {
  const table = new Uint8Array(0x10000).fill(OTHER);
  for (let code = 0; code < 0x100; code++) table[code] = code || OTHER;
  for (let code = 0x100; code < 0x530; code++) table[code] = OTHER_LETTER;
  for (let code = 0x1e00; code < 0x2000; code++) table[code] = OTHER_LETTER;
  // Combining marks belong to the letter before; dropping them also undoes decomposed accents.
  for (let code = 0x300; code < 0x370; code++) table[code] = SPECIAL;
  for (const zero of DIGIT_ZEROS) for (let digit = 0; digit < 10; digit++) table[zero + digit] = 48 + digit;
  for (let code = 0xff01; code <= 0xff5e; code++) table[code] = code - 0xfee0; // full-width ASCII
  for (const code of [0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e, 0xfeff, 0x3164, 0xffa0])
    table[code] = SPECIAL;
  for (const [from, to] of [
    [0x180b, 0x180d],
    [0x200b, 0x200f],
    [0x202a, 0x202e],
    [0x2060, 0x206f],
    [0xfe00, 0xfe0f],
  ] as const)
    table.fill(SPECIAL, from, to + 1);
  for (const code of [0xa0, 0x1680, 0x202f, 0x205f, 0x3000]) table[code] = 32;
  table.fill(32, 0x2000, 0x200b);
  for (const code of [0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0x2043, 0xfe58, 0xfe63, 0x30fc])
    table[code] = 45;
  for (const code of [0x2024, 0x3002, 0xff61, 0xfe52, 0x00b7]) table[code] = 46;
  table[0xfe6b] = 64; // small commercial at
  table[0x2044] = 47; // fraction slash
  table[0x2215] = 47;
  for (const code of [0xfe55, 0x2236, 0xa789]) table[code] = 58;
  // Subscript and superscript digits above Latin-1 (NFKC).
  for (let digit = 0; digit < 10; digit++) table[0x2080 + digit] = 48 + digit;
  for (let digit = 4; digit < 10; digit++) table[0x2070 + digit] = 48 + digit;
  table.fill(SPECIAL, 0xd800, 0xe000);
  for (const code of [PERCENT, AMPERSAND, BACKSLASH]) table[code] = SPECIAL;
  return table;
}

const MATHEMATICAL_DIGITS = 0x1d7ce;
const ABOVE_LATIN1 = /[\u0100-\uffff]/;
/** Latin-1 characters that make a text need folding; looked for one by one, because that is what engines are fastest at. */
const FOLDED = ['%', '&', '\\', '\u00a0', '\u00ad', '\u00b7'];
const NAMED: ReadonlyMap<string, number> = new Map([
  ['commat', 64],
  ['period', 46],
  ['nbsp', 32],
  ['hyphen', 45],
  ['dash', 45],
  ['colon', 58],
  ['lpar', 40],
  ['rpar', 41],
  ['plus', 43],
  ['lowbar', 95],
  ['sol', 47],
  ['num', 35],
  ['shy', 0xad],
]);
/** Longest encoded character: `&#x0000040;`. */
const MAX_ENTITY = 12;

/** Zero bytes behind the text, so that a detector that looks ahead sees the end and not what the last text left there. */
const PADDING = 64;

let scratch = Buffer.alloc(1 << 16);
let units = new Uint16Array(1 << 14);
let unitBytes = Buffer.from(units.buffer);

/** Views a text. The bytes are reused by the next call. */
export function viewOf(text: string): View {
  const { length } = text;
  if (scratch.length < length + PADDING) scratch = Buffer.alloc(Math.max(length + PADDING, scratch.length * 2));
  if (ABOVE_LATIN1.test(text) || FOLDED.some((char) => text.includes(char))) return fold(text);
  scratch.write(text, 0, length, 'latin1');
  scratch.fill(0, length, length + PADDING);
  return { bytes: scratch, length, original: text, offsets: null };
}

/** Offsets are made when the first character is dropped or decoded; most texts have none. */
function fold(text: string): View {
  if (units.length < text.length) {
    units = new Uint16Array(Math.max(text.length, units.length * 2));
    unitBytes = Buffer.from(units.buffer);
  }
  unitBytes.write(text, 0, text.length * 2, 'utf16le');
  let offsets: Int32Array | null = null;
  let length = 0;
  for (let i = 0; i < text.length;) {
    const unit = units[i] ?? 0;
    let byte = FOLD[unit] ?? OTHER;
    let width = 1;
    if (byte === SPECIAL) {
      const resolved = resolve(text, i, unit);
      byte = resolved.byte;
      width = resolved.width;
      if (!offsets && (width !== 1 || byte === SPECIAL)) offsets = identity(text.length, length);
    }
    if (byte !== SPECIAL) {
      if (offsets) offsets[length] = i;
      scratch[length++] = byte;
    }
    i += width;
  }
  if (offsets) offsets[length] = text.length;
  scratch.fill(0, length, length + PADDING);
  return { bytes: scratch, length, original: text, offsets };
}

function identity(size: number, until: number): Int32Array {
  const offsets = new Int32Array(size + 1);
  for (let i = 0; i < until; i++) offsets[i] = i;
  return offsets;
}

/** What a character that is not itself stands for; `SPECIAL` when it is dropped. */
interface Resolved {
  readonly byte: number;
  readonly width: number;
}

const DROPPED: Resolved = { byte: SPECIAL, width: 1 };

function resolve(text: string, at: number, unit: number): Resolved {
  if (unit === PERCENT || unit === AMPERSAND || unit === BACKSLASH) {
    const decoded = decodeAt(text, at, unit);
    if (!decoded) return { byte: unit, width: 1 };
    const isAscii = decoded.code < 128;
    return { byte: isAscii ? decoded.code : (FOLD[decoded.code] ?? OTHER), width: decoded.width };
  }
  if (unit < 0xd800 || unit > 0xdfff) return DROPPED;
  const point = text.codePointAt(at) ?? 0;
  return { byte: foldAstral(point), width: point > 0xffff ? 2 : 1 };
}

function foldAstral(point: number): number {
  if (point >= MATHEMATICAL_DIGITS && point < MATHEMATICAL_DIGITS + 50)
    return 48 + ((point - MATHEMATICAL_DIGITS) % 10);
  if (point >= 0xe0000 && point <= 0xe0fff) return SPECIAL; // tags, variation selectors
  return OTHER;
}

interface Decoded {
  readonly code: number;
  readonly width: number;
}

/** `%40`, also encoded twice (`%2540`), `&#64;`, `&#x40;`, `&commat;`, `\u0040`; only characters that print. */
function decodeAt(text: string, at: number, unit: number): Decoded | undefined {
  if (unit === PERCENT) {
    let from = at + 1;
    while (text.startsWith('25', from) && from - at < MAX_ENTITY) from += 2;
    return printable(hexAt(text, from, 2), from + 2 - at);
  }
  if (unit === BACKSLASH) return text.startsWith('u00', at + 1) ? printable(hexAt(text, at + 4, 2), 6) : undefined;
  const end = text.slice(at, at + MAX_ENTITY).indexOf(';');
  if (end < 3) return undefined;
  const body = text.slice(at + 1, at + end);
  if (!body.startsWith('#')) {
    const code = NAMED.get(body);
    return code === undefined ? undefined : { code, width: end + 1 };
  }
  const isHex = body.charAt(1) === 'x' || body.charAt(1) === 'X';
  const digits = isHex ? body.slice(2) : body.slice(1);
  if (!(isHex ? /^[0-9A-Fa-f]{1,8}$/ : /^[0-9]{1,8}$/).test(digits)) return undefined;
  const code = Number.parseInt(digits, isHex ? 16 : 10);
  return code >= 32 && code <= 0xffff ? { code, width: end + 1 } : undefined;
}

function hexAt(text: string, at: number, digits: number): number {
  const hex = text.slice(at, at + digits);
  return /^[0-9A-Fa-f]{2}$/.test(hex) ? Number.parseInt(hex, 16) : -1;
}

const printable = (code: number, width: number): Decoded | undefined =>
  code >= 32 && code < 127 ? { code, width } : undefined;
