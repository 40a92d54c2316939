import { isWhite } from './blocks.ts';

/** Words before a full stop that ends no sentence, lower-case. */
const ABBREVIATIONS = new Set(
  (
    'mr mrs ms dr prof sr jr st vs etc inc ltd co corp fig figs no nos vol vols ch sec eq eqs ref refs ed eds al ca cf approx ' +
    'e.g i.e a.m p.m u.s u.k ph.d jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun usw z.b bzw d.h ggf nr'
  ).split(' '),
);
const MAX_ABBREVIATION_CHARS = 6;

const STOP = 46;
const EXCLAMATION = 33;
const QUESTION = 63;
const ELLIPSIS = 0x2026;

/** Full stop, exclamation and question mark of Chinese and Japanese: they end a sentence without a space after them. */
function isWideStop(unit: number): boolean {
  return unit === 0x3002 || unit === 0xff01 || unit === 0xff1f || unit === 0xff61;
}

/** Quotes and brackets that may stand between the stop and the space. */
function isCloser(unit: number): boolean {
  return (
    unit === 34 ||
    unit === 39 ||
    unit === 41 ||
    unit === 93 ||
    unit === 42 ||
    unit === 95 ||
    unit === 0x2019 ||
    unit === 0x201d ||
    unit === 0xbb ||
    unit === 0x300d ||
    unit === 0x300f ||
    unit === 0xff09
  );
}

const isLower = (unit: number): boolean => unit >= 97 && unit <= 122;
const isAsciiLetter = (unit: number): boolean => isLower(unit | 32);

/** Whether the full stop at `stop` belongs to an abbreviation, an initial or the number of a list item. */
function isAbbreviation(text: string, from: number, stop: number): boolean {
  let start = stop;
  while (start > from && stop - start <= MAX_ABBREVIATION_CHARS && !isWhite(text.charCodeAt(start - 1))) start--;
  if (stop - start > MAX_ABBREVIATION_CHARS) return false;
  while (start < stop && isOpener(text.charCodeAt(start))) start++;
  const length = stop - start;
  if (length === 1) return isAsciiLetter(text.charCodeAt(start)) && text.charCodeAt(start) !== 73; // `I.` ends a sentence more often
  return length > 0 && ABBREVIATIONS.has(text.slice(start, stop).toLowerCase());
}

function isOpener(unit: number): boolean {
  return unit === 40 || unit === 91 || unit === 34 || unit === 39 || unit === 0x201c || unit === 0x2018;
}

/**
 * Calls `visit` with the start of every sentence of `text.slice(start, end)` but the first, in order. One pass; a decimal point, an
 * abbreviation or a stop before a small letter ends nothing.
 */
export function eachSentenceStart(text: string, start: number, end: number, visit: (at: number) => void): void {
  let sentence = start;
  let at = start;
  while (at < end) {
    const unit = text.charCodeAt(at++);
    const wide = isWideStop(unit);
    if (!wide && unit !== STOP && unit !== EXCLAMATION && unit !== QUESTION && unit !== ELLIPSIS) continue;
    const stop = at - 1;
    while (at < end && isEnd(text.charCodeAt(at))) at++;
    let next = at;
    while (next < end && isWhite(text.charCodeAt(next))) next++;
    if (next >= end) return;
    if (next === at && !wide && !isWideStop(text.charCodeAt(at - 1))) continue;
    if (unit === STOP && at === stop + 1 && isAbbreviation(text, sentence, stop)) continue;
    if (!wide && isLower(text.charCodeAt(next))) continue;
    sentence = next;
    at = next;
    visit(next);
  }
}

/** What may follow the first stop and still belong to the end of the sentence. */
function isEnd(unit: number): boolean {
  return isWideStop(unit) || unit === STOP || unit === EXCLAMATION || unit === QUESTION || isCloser(unit);
}
