/**
 * What BERT's uncased normaliser makes of each character: cleaned, lower-cased, accents stripped (NFD without nonspacing marks), CJK
 * ideographs and punctuation split off. Most characters need none of it, so a table tells them apart.
 */
export const CharacterKind = {
  /** Separates words. */
  space: 0,
  /** Part of a word as it stands (ASCII capitals: through `lowerAscii`). */
  letter: 1,
  /** A word by itself as it stands: punctuation, ideographs. */
  single: 2,
  /** Part of a word, or nothing, or punctuation, after normalising: see `normalizeCharacter`. */
  complex: 3,
  /** A word by itself after normalising: ideographs of the compatibility block. */
  complexSingle: 4,
} as const;

const PUNCTUATION = /^[\p{P}!-/:-@[-`{-~]$/u;
const CONTROL = /^[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const NONSPACING = /\p{Mn}/gu;
const BLANK = /^\s$/;

const FIRST_IDEOGRAPH = 0x4e00;
const LAST_IDEOGRAPH = 0x9fff;
const FIRST_EXTENSION = 0x3400;
const LAST_EXTENSION = 0x4dbf;
const FIRST_COMPATIBILITY = 0xf900;
const LAST_COMPATIBILITY = 0xfaff;
const FIRST_HANGUL = 0xac00;
const LAST_HANGUL = 0xd7a3;
const FIRST_SURROGATE = 0xd800;
const LAST_PRIVATE = 0xf8ff;
const CAPITAL_SIGMA = 0x3a3;

const isIdeograph = (unit: number): boolean =>
  (unit >= FIRST_IDEOGRAPH && unit <= LAST_IDEOGRAPH) ||
  (unit >= FIRST_EXTENSION && unit <= LAST_EXTENSION) ||
  (unit >= FIRST_COMPATIBILITY && unit <= LAST_COMPATIBILITY);

/** Kind of every UTF-16 code unit; surrogates are complex. Built on first use: about 20,000 characters need a look. */
export function characterKinds(): Uint8Array {
  kinds ??= buildKinds();
  return kinds;
}
let kinds: Uint8Array | undefined;

function buildKinds(): Uint8Array {
  const table = new Uint8Array(65_536).fill(CharacterKind.complex);
  table.fill(CharacterKind.single, FIRST_IDEOGRAPH, LAST_IDEOGRAPH + 1);
  table.fill(CharacterKind.single, FIRST_EXTENSION, LAST_EXTENSION + 1);
  const known: readonly (readonly [number, number])[] = [
    [FIRST_EXTENSION, LAST_EXTENSION],
    [FIRST_IDEOGRAPH, LAST_IDEOGRAPH],
    [FIRST_HANGUL, LAST_HANGUL],
    [FIRST_SURROGATE, LAST_PRIVATE],
  ];
  let unit = 0;
  for (const [first, last] of [...known, [65_536, 65_536] as const]) {
    for (; unit < first; unit++) table[unit] = kindOf(unit);
    unit = last + 1;
  }
  return table;
}

function kindOf(unit: number): number {
  const character = String.fromCharCode(unit);
  if (unit === 9 || unit === 10 || unit === 13) return CharacterKind.space;
  if (isDropped(unit, character)) return CharacterKind.complex;
  if (BLANK.test(character)) return CharacterKind.space;
  const stands = fold(character) === character;
  if (isIdeograph(unit)) return stands ? CharacterKind.single : CharacterKind.complexSingle;
  if (stands) return PUNCTUATION.test(character) ? CharacterKind.single : CharacterKind.letter;
  return unit < 0x80 ? CharacterKind.letter : CharacterKind.complex;
}

function isDropped(codePoint: number, character: string): boolean {
  return codePoint === 0 || codePoint === 0xfffd || CONTROL.test(character);
}

function fold(character: string): string {
  return character.toLowerCase().normalize('NFD').replace(NONSPACING, '');
}

/** A character after normalising: its words' code units, empty when it is dropped, and whether it is punctuation. */
export interface NormalizedCharacter {
  readonly text: string;
  readonly punctuation: boolean;
}

const normalized = new Map<number, NormalizedCharacter>();
/** There are 1.1 million code points; a text that uses them all must not fill the memory. */
const MAX_REMEMBERED = 16_384;

/** What becomes of the character at `at` of a text, whatever its kind. */
export function normalizeCharacter(text: string, at: number): NormalizedCharacter {
  const codePoint = text.codePointAt(at) ?? 0;
  if (codePoint === CAPITAL_SIGMA) return sigma(text, at);
  const known = normalized.get(codePoint);
  if (known) return known;
  const character = String.fromCodePoint(codePoint);
  const folded = isDropped(codePoint, character) ? '' : fold(character);
  const made = { text: folded, punctuation: PUNCTUATION.test(folded) };
  if (normalized.size >= MAX_REMEMBERED) normalized.clear();
  normalized.set(codePoint, made);
  return made;
}

/** The one letter whose small form depends on its neighbours. */
function sigma(text: string, at: number): NormalizedCharacter {
  const before = at > 0 ? (text[at - 1] ?? '') : '';
  const around = `${before}Σ${text[at + 1] ?? ''}`.toLowerCase();
  return { text: around[before.toLowerCase().length] ?? 'σ', punctuation: false };
}
