/* Classes of the bytes of a view. */

export const DIGIT = 1;
export const LETTER = 2;
/** May stand between the groups of one number. */
export const JOINER = 4;
/** May be part of the local part of an e-mail address. */
export const LOCAL = 8;
/** May be part of a secret token or a host name: letters, digits, `-`, `_`, `.`. */
export const TOKEN = 16;
export const HEX = 32;
/** Makes the scanner stop. */
export const TRIGGER = 64;

/** Bit set of classes by byte. */
export const CLASS: Uint8Array = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (chars: string, bits: number) => {
    for (const char of chars) table[char.charCodeAt(0)] = (table[char.charCodeAt(0)] ?? 0) | bits;
  };
  const lower = 'abcdefghijklmnopqrstuvwxyz';
  mark('0123456789', DIGIT | LOCAL | TOKEN | HEX | TRIGGER);
  mark(lower + lower.toUpperCase(), LETTER | LOCAL | TOKEN);
  mark('abcdefABCDEF', HEX);
  mark(' -./:()+_', JOINER);
  mark("!#$%&'*+-/=?^_`{|}~.", LOCAL);
  mark('-_.', TOKEN);
  mark('@:=[', TRIGGER);
  for (let code = 0xc0; code < 0x100; code++) if (code !== 0xd7 && code !== 0xf7) table[code] = LETTER | LOCAL;
  for (const code of [0xaa, 0xb5, 0xba]) table[code] = LETTER;
  return table;
}

/** Class bits of a byte; 0 outside the text. */
export const classAt = (bytes: Buffer, at: number): number => CLASS[bytes[at] ?? 0] ?? 0;

export const isDigitAt = (bytes: Buffer, at: number): boolean => (classAt(bytes, at) & DIGIT) !== 0;
export const isAlphanumericAt = (bytes: Buffer, at: number): boolean => (classAt(bytes, at) & (DIGIT | LETTER)) !== 0;
