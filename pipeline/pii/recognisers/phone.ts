import { isAlphanumericAt, isDigitAt } from '../characters.ts';
import type { Entity } from '../entities.ts';
import type { Evidence, Recogniser, Scan } from '../recogniser.ts';

const PLUS = 43;
const OPEN = 40;
const CLOSE = 41;
const SPACE = 32;
const HYPHEN = 45;
const DOT = 46;
const SLASH = 47;
/** ITU-T E.164. */
const MAX_DIGITS = 15;
/** Fewest digits of a subscriber number. */
const MIN_DIGITS = 7;
/** Longest number with its separators; bounds how far the scanner looks. */
const MAX_LENGTH = 32;

/** A telephone number as it is written. Offsets into the view. */
interface Written {
  readonly start: number;
  readonly end: number;
  readonly digits: string;
  readonly isInternational: boolean;
  readonly hasParentheses: boolean;
  /** Lengths of the groups of digits. */
  readonly groups: readonly number[];
  /** Separators between groups, each once. */
  readonly separators: ReadonlySet<number>;
}

/** The groups of digits from `from` on; undefined when there are more digits than a number may have, or a parenthesis stays open. */
function readGroups(bytes: Buffer, from: number, length: number) {
  let digits = '';
  const groups: number[] = [];
  const separators = new Set<number>();
  let hasParentheses = false;
  let isOpen = false;
  let end = from;
  const limit = Math.min(length, from + MAX_LENGTH);
  for (let at = from; at < limit; at++) {
    const byte = bytes[at] ?? 0;
    if (isDigitAt(bytes, at)) {
      if (digits.length === MAX_DIGITS) return undefined;
      if (at === end && groups.length > 0) groups.push((groups.pop() ?? 0) + 1);
      else groups.push(1);
      digits += String.fromCharCode(byte);
      end = at + 1;
    } else if (
      byte === OPEN &&
      !hasParentheses &&
      groups.length <= 1 &&
      (isDigitAt(bytes, at + 1) || bytes[at + 1] === PLUS)
    ) {
      hasParentheses = isOpen = true;
    } else if (byte === CLOSE && isOpen) {
      isOpen = false;
    } else if (byte === SPACE || byte === HYPHEN || byte === DOT || byte === SLASH) {
      if (!isDigitAt(bytes, at + 1) && !(byte === SPACE && bytes[at + 1] === OPEN)) break;
      if (bytes[at - 1] !== CLOSE && bytes[at + 1] !== OPEN) separators.add(byte);
    } else if (!(byte === PLUS && bytes[at - 1] === OPEN)) break;
  }
  return isOpen ? undefined : { digits, groups, separators, hasParentheses, end };
}

const joins = (byte: number | undefined): boolean => byte === HYPHEN || byte === DOT || byte === SLASH;

/** Reads the number that begins at the digit `at`; undefined when that is a part of something longer. */
function readNumber(scan: Scan, at: number): Written | undefined {
  const { bytes } = scan;
  if (!isDigitAt(bytes, at)) return undefined;
  let start = at;
  if (bytes[start - 1] === OPEN) start--;
  const isInternational = bytes[start - 1] === PLUS;
  if (isInternational) start--;
  if (isInternational && bytes[start - 1] === OPEN) start--;
  if (start > 0 && (isAlphanumericAt(bytes, start - 1) || (joins(bytes[start - 1]) && isDigitAt(bytes, start - 2))))
    return undefined;
  const read = readGroups(bytes, bytes[start] === PLUS ? start + 1 : start, scan.length);
  if (!read || read.digits.length < MIN_DIGITS || isAlphanumericAt(bytes, read.end)) return undefined;
  if ((joins(bytes[read.end]) || bytes[read.end] === 58) && isDigitAt(bytes, read.end + 1)) return undefined;
  // A parenthesis in front that closes behind the number is punctuation.
  const isWrapped = bytes[start] === OPEN && !read.hasParentheses;
  return { ...read, start: isWrapped ? start + 1 : start, isInternational };
}

const NANP = /^1?[2-9]\d{2}[2-9]\d{6}$/;
const BRITISH_MOBILE = /^07\d{9}$/;
/** Years, dates, and numbers that count from zero. */
const DATE =
  /^(?:(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|[12]\d|3[01])(?:19|20)\d{2})$/;

function evidenceOf(number: Written): Evidence | undefined {
  const { digits, groups, separators } = number;
  const isGrouped = groups.length > 1;
  if (DATE.test(digits) && groups.length !== 2) return undefined;
  if (number.isInternational) {
    if (digits.startsWith('0') || digits.length < 8 || (digits.startsWith('1') && !NANP.test(digits))) return undefined;
    return isGrouped || digits.length >= 10 ? 'unmistakable' : 'form';
  }
  if (separators.size > 2) return 'hint';
  if (NANP.test(digits) && (!isGrouped || groups.join('-').endsWith('3-3-4'))) {
    if (number.hasParentheses || separators.has(HYPHEN)) return 'unmistakable';
    return isGrouped ? 'checksum' : 'form';
  }
  const isTrunk = /^0[1-9]/.test(digits) && digits.length >= 9 && digits.length <= 12;
  // One digit in front is an ISBN.
  if (isTrunk && groups.length >= 3 && (groups[0] ?? 0) > 1 && separators.size === 1 && !separators.has(SLASH))
    return separators.has(DOT) ? 'checksum' : 'unmistakable';
  if (isGrouped && BRITISH_MOBILE.test(digits)) return 'unmistakable';
  return isTrunk || number.hasParentheses ? 'form' : 'hint';
}

function findPhone(scan: Scan, at: number): void {
  const number = readNumber(scan, at);
  const evidence = number && evidenceOf(number);
  if (number && evidence) scan.add(number.start, number.end, 'PHONE_NUMBER', evidence);
}

export const phone: Recogniser = {
  entity: 'PHONE_NUMBER',
  context:
    'phone, phones, telephone, tel, fax, mobile, mobiles, cell phone, cell number, cell no, my cell, cellphone, call, call me, called, sms, whatsapp, dial, ' +
    'hotline, helpline, landline, text me, messages to, reach me, contact number, phone number, office, ' +
    'telefon, telefonnummer, handy, handynummer, rufnummer, telefono, teléfono, téléphone, telefone, celular, cep, ' +
    'móvil, movil, portable, cellulare, puhelin, telefoon, gsm, tlf, numéro, 전화, 电话, 電話, 手机, телефон',
  detectors: [{ trigger: 'number', find: findPhone }],
};

/** The numbers of one country, for a policy that asks for them by name; PHONE_NUMBER finds them too. */
function phoneOf(entity: Entity, country: string, national: RegExp, context: string): Recogniser {
  const find = (scan: Scan, at: number) => {
    const number = readNumber(scan, at);
    if (!number) return;
    const { digits, isInternational } = number;
    if (isInternational && !digits.startsWith(country)) return;
    const local = isInternational ? `0${digits.slice(country.length)}` : digits;
    if (national.test(local)) scan.add(number.start, number.end, entity, isInternational ? 'unmistakable' : 'form');
  };
  return { entity, isOptIn: true, context, detectors: [{ trigger: 'number', find }] };
}

/** Ten digits behind the trunk prefix, the first from 2 to 5. */
export const turkishPhone = phoneOf(
  'TR_PHONE_NUMBER',
  '90',
  /^0?[2-5]\d{9}$/,
  'telefon, telefonu, telefonum, telefon numarası, cep, cep no, gsm, tel, phone, iletişim',
);

export const philippineMobile = phoneOf(
  'PH_MOBILE_NUMBER',
  '63',
  /^09\d{9}$/,
  'mobile, mobile number, cellphone, cell, globe, smart, telepono, contact number',
);
