/*
 * Check digits of numbers that people and accounts are known by. Every function takes the compact form (separators removed,
 * letters in upper case) and never throws.
 */

const ZERO = 48;

/** Value of the digit at `index`; NaN outside the text, which makes every comparison below false. */
export const digitAt = (text: string, index: number): number => text.charCodeAt(index) - ZERO;

/** Sum of digit times weight over as many digits as there are weights. */
export function weightedSum(text: string, weights: readonly number[], from = 0): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += digitAt(text, from + i) * (weights[i] ?? 0);
  return sum;
}

/** Luhn, mod 10: cards, SIN, NPI, personnummer. */
export function luhn(digits: string): boolean {
  let sum = 0;
  let double = false;
  for (let i = digits.length - 1; i >= 0; i--) {
    let digit = digitAt(digits, i);
    if (double && (digit *= 2) > 9) digit -= 9;
    sum += digit;
    double = !double;
  }
  return digits.length > 0 && sum % 10 === 0;
}

/** ISO 7064 mod 97-10 over letters and digits, A = 10: the remainder of the number that the text spells. */
export function mod97(text: string): number {
  let rest = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    rest = code >= 65 ? (rest * 100 + (code - 55)) % 97 : (rest * 10 + (code - ZERO)) % 97;
  }
  return rest;
}

/** ISO 7064 mod 11,10: German tax and VAT ids, Croatian OIB. The last digit is the check digit. */
export function iso7064Mod11And10(digits: string): boolean {
  let product = 10;
  for (let i = 0; i < digits.length - 1; i++) {
    const sum = (digitAt(digits, i) + product) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === digitAt(digits, digits.length - 1);
}

const VERHOEFF_MULTIPLY = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
] as const;
const VERHOEFF_PERMUTE = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
] as const;

/** Verhoeff: Aadhaar. */
export function verhoeff(digits: string): boolean {
  let check = 0;
  for (let i = 0; i < digits.length; i++) {
    const permuted = digitAt(VERHOEFF_PERMUTE[i % 8] ?? '', digitAt(digits, digits.length - 1 - i));
    check = digitAt(VERHOEFF_MULTIPLY[check] ?? '', permuted);
  }
  return check === 0;
}

/** Check character of machine-readable travel documents (ICAO 9303): weights 7, 3, 1, letters count from A = 10. */
export function icaoCheck(text: string): boolean {
  const weights = [7, 3, 1];
  let sum = 0;
  for (let i = 0; i < text.length - 1; i++) {
    const code = text.charCodeAt(i);
    sum += (code >= 65 ? code - 55 : code - ZERO) * (weights[i % 3] ?? 0);
  }
  return sum % 10 === digitAt(text, text.length - 1);
}

/** Whether year, month and day name a day of the calendar; a two-digit year may be of any century. */
export function isDate(year: number, month: number, day: number): boolean {
  if (!(month >= 1 && month <= 12 && day >= 1)) return false;
  const isLeap = year < 100 ? year % 4 === 0 : (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 ? (isLeap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return day <= days;
}

/** `isDate` of digits inside a text, each given by its offset; the year by offset and length. */
export function hasDate(text: string, year: number, yearLength: 2 | 4, month: number, day: number): boolean {
  return isDate(
    Number(text.slice(year, year + yearLength)),
    Number(text.slice(month, month + 2)),
    Number(text.slice(day, day + 2)),
  );
}

/** 1111..., 0000...: passes many checksums and is nobody's number. */
export const isOneDigit = (text: string): boolean => text === text.charAt(0).repeat(text.length);
