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

/** What a character can be to the end of a sentence: most are nothing, and one look at this table says so. */
const NOTHING = 0;
/** Ends a sentence when white space follows: `.`, `!`, `?`, `…`. */
const NARROW_STOP = 1;
/** Ends a sentence whatever follows: the stops of Chinese and Japanese. */
const WIDE_STOP = 2;
const stopKinds = new Uint8Array(65_536);
for (const stop of '.!?…') stopKinds[stop.charCodeAt(0)] = NARROW_STOP;
for (const stop of '。！？｡') stopKinds[stop.charCodeAt(0)] = WIDE_STOP;

/** Quotes and brackets that may stand between the stop and the space. */
const closers = new Set(`"')]*_’”»」』）`.split('').map((closer) => closer.charCodeAt(0)));

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
 * @param units code units of the text.
 */
export function eachSentenceStart(
  text: string,
  units: Uint16Array,
  start: number,
  end: number,
  visit: (at: number) => void,
): void {
  let sentence = start;
  for (let at = start; at < end; at++) {
    const kind = stopKinds[units[at] ?? 0];
    if (kind === NOTHING) continue;
    const stop = at;
    let wide = kind === WIDE_STOP;
    for (; at + 1 < end; at++) {
      const following = text.charCodeAt(at + 1);
      const followingKind = stopKinds[following];
      if (followingKind === NOTHING && !closers.has(following)) break;
      wide ||= followingKind === WIDE_STOP;
    }
    const after = at + 1;
    let next = after;
    while (next < end && isWhite(text.charCodeAt(next))) next++;
    if (next >= end) return;
    if (!wide) {
      if (next === after || isLower(text.charCodeAt(next))) continue;
      if (after === stop + 1 && text.charCodeAt(stop) === STOP && isAbbreviation(text, sentence, stop)) continue;
    }
    sentence = next;
    at = next - 1;
    visit(next);
  }
}
