import { ENTITIES, labelOf } from './entities.ts';

/** Hexadecimal digits of a pseudonym: 48 bits, so that a million values of a tenant collide once in 500 tenants. */
export const PSEUDONYM_DIGITS = 12;

const LABELS: ReadonlySet<string> = new Set(ENTITIES.map(labelOf));
const LONGEST = Math.max(...[...LABELS].map((label) => label.length)) + PSEUDONYM_DIGITS + 3;
const OPEN = 91;
const CLOSE = 93;

/** End of the label (`[EMAIL]`, `[EMAIL:7f3a9c12b4d5]`) that begins at `at`; 0 when none does. Nothing inside one is looked at again. */
export function labelEnd(bytes: Buffer, at: number, length: number): number {
  if (bytes[at] !== OPEN) return 0;
  const limit = Math.min(length, at + LONGEST);
  for (let end = at + 1; end < limit; end++)
    if (bytes[end] === CLOSE) return isLabel(bytes.toString('latin1', at + 1, end)) ? end + 1 : 0;
  return 0;
}

function isLabel(text: string): boolean {
  const [label = '', token, ...rest] = text.split(':');
  return LABELS.has(label) && rest.length === 0 && (token === undefined || /^[0-9a-f]{12}$/.test(token));
}

/** Replaces labels by blanks, so that the word in `[US_SSN]` does not speak about the number beside it. */
export const withoutLabels = (text: string): string => text.replace(/\[[A-Z_]{2,40}(?::[0-9a-f]{12})?\]/g, ' ');
