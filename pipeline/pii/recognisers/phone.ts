import { isAlphanumericAt, isDigitAt } from '../characters.ts';
import type { Recogniser, Scan } from '../recogniser.ts';

const PLUS = 43;
const OPEN = 40;
const CLOSE = 41;
const SPACE = 32;
const HYPHEN = 45;
const DOT = 46;
const SLASH = 47;
/** ITU-T E.164. */
const MAX_DIGITS = 15;
/** Longest number with its separators; bounds how far the scanner looks. */
const MAX_LENGTH = 32;

interface Number_ {
  readonly end: number;
  readonly digits: string;
  /** Lengths of the groups, in order. */
  readonly groups: readonly number[];
  /** The separators between the groups, each once. */
  readonly separators: ReadonlySet<number>;
  readonly hasParentheses: boolean;
}

/** Reads groups of digits with one separator, or parentheses, between them. */
function readNumber(bytes: Buffer, from: number, length: number): Number_ | undefined {
  let digits = '';
  const groups: number[] = [];
  const separators = new Set<number>();
  let hasParentheses = false;
  let isOpen = false;
  let group = 0;
  let end = from;
  const limit = Math.min(length, from + MAX_LENGTH);
  for (let at = from; at < limit; at++) {
    const byte = bytes[at] ?? 0;
    if (isDigitAt(bytes, at)) {
      if (digits.length === MAX_DIGITS) return undefined;
      digits += String.fromCharCode(byte);
      group++;
      end = at + 1;
      continue;
    }
    if (group > 0) groups.push(group);
    group = 0;
    if (byte === OPEN && !hasParentheses && (isDigitAt(bytes, at + 1) || bytes[at + 1] === PLUS)) {
      hasParentheses = isOpen = true;
    } else if (byte === CLOSE && isOpen) isOpen = false;
    else if (byte === PLUS && bytes[at - 1] === OPEN) continue;
    else if (byte === SPACE || byte === HYPHEN || byte === DOT || byte === SLASH) {
      const next = bytes[at + 1] ?? 0;
      const isAfterParenthesis = bytes[at - 1] === CLOSE;
      if (!isDigitAt(bytes, at + 1) && !(byte === SPACE && next === OPEN)) break;
      if (!isAfterParenthesis && next !== OPEN) separators.add(byte);
    } else break;
  }
  if (group > 0) groups.push(group);
  return isOpen ? undefined : { end, digits, groups, separators, hasParentheses };
}

const NANP = /^1?[2-9]\d{2}[2-9]\d{6}$/;

function findPhone(scan: Scan, at: number): void {
  const { bytes } = scan;
  if (!isDigitAt(bytes, at)) return;
  let start = at;
  if (bytes[start - 1] === OPEN) start--;
  const hasPlus = bytes[start - 1] === PLUS;
  if (hasPlus) start--;
  if (hasPlus && bytes[start - 1] === OPEN) start--;
  const before = bytes[start - 1] ?? 0;
  if (start > 0 && isAlphanumericAt(bytes, start - 1)) return;
  if ((before === HYPHEN || before === DOT || before === SLASH) && isDigitAt(bytes, start - 2)) return;
  const number = readNumber(bytes, start + (hasPlus && bytes[start] === PLUS ? 1 : 0), scan.length);
  if (!number || number.digits.length < 7) return;
  if (isAlphanumericAt(bytes, number.end)) return;
  const after = bytes[number.end] ?? 0;
  if ((after === HYPHEN || after === DOT || after === SLASH || after === 58) && isDigitAt(bytes, number.end + 1))
    return;
  const { digits, groups, separators, hasParentheses } = number;
  const isGrouped = groups.length > 1 && separators.size <= 1;
  if (hasPlus) {
    if (digits.charAt(0) !== '0' && digits.length >= 8)
      scan.add(start, number.end, 'PHONE_NUMBER', isGrouped || digits.length >= 10 ? 'unmistakable' : 'form');
    return;
  }
  if (NANP.test(digits) && (groups.join('-').endsWith('3-3-4') || groups.length === 1)) {
    const isWritten = hasParentheses || separators.has(HYPHEN) || separators.has(DOT);
    scan.add(start, number.end, 'PHONE_NUMBER', groups.length > 1 && isWritten ? 'unmistakable' : 'form');
    return;
  }
  scan.add(start, number.end, 'PHONE_NUMBER', 'hint');
}

export const phone: Recogniser = {
  entity: 'PHONE_NUMBER',
  context:
    'phone, phones, telephone, tel, fax, mobile, cell, cellphone, call, sms, whatsapp, dial, hotline, ' +
    'telefon, telefonnummer, handy, telefono, teléfono, téléphone, telefone, celular, cep, móvil, messages',
  detectors: [{ trigger: 'word', find: findPhone }],
};
