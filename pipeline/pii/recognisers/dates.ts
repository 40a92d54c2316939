import { hasDate, isDate } from '../checksums.ts';
import { isAlphanumericAt } from '../characters.ts';
import type { Entity } from '../entities.ts';
import type { Detector, Evidence, Recogniser, Scan } from '../recogniser.ts';

const PARTS = ['9', '99'];

/** Day, month and year in any of the usual orders. */
const NUMERIC = ['/', '.', '-'].flatMap((separator) =>
  PARTS.flatMap((a) =>
    PARTS.flatMap((b) => [
      ...['99', '9999'].map((year) => [a, b, year].join(separator)),
      ['9999', a, b].join(separator),
    ]),
  ),
);

function isNumericDate(_: string, written: string): boolean {
  const [a = 0, b = 0, c = 0] = written.split(/[/.-]/).map(Number);
  return /^\d{4}/.test(written) ? isDate(a, b, c) : isDate(c, a, b) || isDate(c, b, a);
}

/** First letters of the months in English, German, French, Spanish, Italian, Portuguese, Dutch and the Nordic languages. */
const MONTHS = new Set(
  (
    'jan ene gen jän feb fev fév feb mar mär maa mrt apr avr abr may mai maj mag mei jun jui giu jul lug aug aoû ago sep set oct ' +
    'okt ott out nov dec dez dic dés déc des'
  ).split(' '),
);
/** Longest "30th of September, " before a year, characters. */
const MAX_BEFORE_YEAR = 22;
const MAX_BEFORE_DATE = 12;
const DAY_MONTH = /(\d{1,2})(?:st|nd|rd|th|\.|º)?[ -](?:of |de |d')?([A-Za-z\u00c0-\u00ff]{3,10})\.?,?(?: de |[ -])$/;
const MONTH_DAY = /([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? $/;

/** "3 May 1980", "May 3rd, 1980": looks back from the year. */
function wordedDates(entity: Entity, evidence: Evidence, isLeftAlone?: RegExp): Detector {
  const find = (scan: Scan, at: number) => {
    const { bytes } = scan;
    const isYear = (bytes[at] === 49 && bytes[at + 1] === 57) || (bytes[at] === 50 && bytes[at + 1] === 48);
    if (!isYear || isAlphanumericAt(bytes, at + 4)) return;
    const before = bytes.toString('latin1', Math.max(0, at - MAX_BEFORE_YEAR), at);
    const dayFirst = DAY_MONTH.exec(before);
    const match = dayFirst ?? MONTH_DAY.exec(before);
    if (!match) return;
    const [month, day] = dayFirst ? [match[2], match[1]] : [match[1], match[2]];
    if (!MONTHS.has((month ?? '').slice(0, 3).toLowerCase()) || Number(day) < 1 || Number(day) > 31) return;
    const start = at - match[0].length;
    if (isLeftAlone?.test(bytes.toString('latin1', Math.max(0, start - MAX_BEFORE_DATE), start))) return;
    scan.add(start, at + 4, entity, evidence);
  };
  return { trigger: 'year', find };
}

/** How encyclopaedias introduce a person: "(born 30 July 1970)". What is printed there is no secret, and people search for it. */
const ENCYCLOPAEDIC = /[(;,] ?born $/;

/** Only beside words that make it a birthday: any other date is the stuff of documents. */
export const dateOfBirth: Recogniser = {
  entity: 'DATE_OF_BIRTH',
  context:
    'born, birth, date of birth, birthday, birthdate, dob, d o b, geboren, geburtsdatum, geburtstag, naissance, né le, ' +
    'née le, nacimiento, nacido, nacida, nascita, nato, nata, nascimento, geboortedatum, född, syntynyt, 生年月日, 出生',
  forms: [{ shapes: NUMERIC, evidence: 'hint', accepts: isNumericDate }],
  detectors: [wordedDates('DATE_OF_BIRTH', 'hint', ENCYCLOPAEDIC)],
};

/** The scanner sees `T` and `Z` as letters. */
const TIMES = ['A99:99:99', 'A99:99', ' 99:99:99', ' 99:99'];
const FRACTIONS = ['', ...[1, 2, 3, 6, 9].map((digits) => `.${'9'.repeat(digits)}`)];
const ZONES = ['', 'A', '-99:99', '+99:99'];

/** Every date and time, for a policy that asks for them by name. */
export const dateTime: Recogniser = {
  entity: 'DATE_TIME',
  isOptIn: true,
  forms: [
    { shapes: NUMERIC, evidence: 'form', accepts: isNumericDate },
    {
      shapes: TIMES.flatMap((time) =>
        FRACTIONS.flatMap((fraction) => ZONES.map((zone) => `9999-99-99${time}${fraction}${zone}`)),
      ),
      evidence: 'form',
      accepts: (_, written) => hasDate(written, 0, 4, 5, 8) && /^.{10}[T ]/i.test(written),
    },
    {
      shapes: ['9/99', '99/99', '99/9999', '9/9999'],
      evidence: 'form',
      accepts: (_, written) => Number(written.split('/')[0]) <= 12,
    },
    {
      shapes: ['AAA-99', '99-AAA', '9-AAA', 'AAA-9', 'AAA-9999', '99-AAA-99', '99-AAA-9999'],
      evidence: 'form',
      accepts: (compact) => MONTHS.has((/[A-Z]{3}/.exec(compact)?.[0] ?? '').toLowerCase()),
    },
  ],
  detectors: [wordedDates('DATE_TIME', 'form')],
};
