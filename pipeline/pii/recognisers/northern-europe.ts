import { digitAt, hasDate, isOneDigit, iso7064Mod11And10, luhn, mod97, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

const FINNISH_CHECK = '0123456789ABCDEFHJKLMNPRSTUVWXY';

/** Day, month, year, century sign, individual number from 002, check character mod 31. */
function isFinnishCode(_: string, written: string): boolean {
  const code = written.toUpperCase();
  if (!/^\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]$/.test(code) || code.slice(7, 10) < '002') return false;
  const number = Number(code.slice(0, 6) + code.slice(7, 10));
  return hasDate(code, 4, 2, 2, 0) && FINNISH_CHECK.charAt(number % 31) === code.charAt(10);
}

const finnish: Recogniser = {
  entity: 'FI_PERSONAL_IDENTITY_CODE',
  context: 'hetu, henkilötunnus, henkilotunnus, personbeteckning, personal identity code',
  forms: [
    {
      shapes: ['999999-999X', '999999+999X', '999999A999X'],
      evidence: 'unmistakable',
      glued: true,
      accepts: isFinnishCode,
    },
  ],
};

/** Birth date (a coordination number adds 60 to the day), serial, Luhn over the ten short digits. */
function isPersonnummer(compact: string): boolean {
  const short = compact.slice(-10);
  const day = Number(short.slice(4, 6));
  const date = day > 60 ? `${short.slice(0, 4)}${String(day - 60).padStart(2, '0')}` : short;
  if (compact.length === 12 && !/^(?:18|19|20)/.test(compact)) return false;
  return hasDate(date, 0, 2, 2, 4) && luhn(short) && !short.endsWith('0000');
}

const swedishPerson: Recogniser = {
  entity: 'SE_PERSONNUMMER',
  context: 'personnummer, pnr, pers nr, samordningsnummer, personal number, swedish id',
  forms: [
    { shapes: ['999999-9999', '999999+9999', '99999999-9999'], evidence: 'unmistakable', accepts: isPersonnummer },
    // Twelve digits in one piece are also a date with a time.
    { shapes: ['9999999999', '999999999999'], evidence: 'checksum', glued: true, accepts: isPersonnummer },
  ],
};

const swedishOrganisation: Recogniser = {
  entity: 'SE_ORGANISATIONSNUMMER',
  context: 'organisationsnummer, orgnummer, org nr, orgnr, organisation number',
  forms: [
    {
      shapes: ['999999-9999', '9999999999'],
      evidence: 'checksum',
      accepts: (digits) => /^[1-35-9]/.test(digits) && digitAt(digits, 2) >= 2 && luhn(digits),
    },
  ],
};

/** Norwegian birth number: two check digits mod 11; D-numbers add 40 to the day. */
function isFodselsnummer(digits: string): boolean {
  const day = Number(digits.slice(0, 2));
  const date = `${String(day > 40 ? day - 40 : day).padStart(2, '0')}${digits.slice(2, 6)}`;
  const first = (11 - (weightedSum(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11)) % 11;
  const second = (11 - (weightedSum(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
  return hasDate(date, 4, 2, 2, 0) && first === digitAt(digits, 9) && second === digitAt(digits, 10);
}

const norwegian: Recogniser = {
  entity: 'NO_FODSELSNUMMER',
  context: 'fødselsnummer, fodselsnummer, personnummer, d nummer',
  forms: [{ shapes: ['99999999999', '999999 99999'], evidence: 'unmistakable', accepts: isFodselsnummer }],
};

const danish: Recogniser = {
  entity: 'DK_CPR',
  context: 'cpr, cpr nummer, personnummer',
  forms: [
    // The check digit is no longer given; a date and a hyphen alone are too little.
    { shapes: ['999999-9999', '9999999999'], evidence: 'form', accepts: (digits) => hasDate(digits, 4, 2, 2, 0) },
  ],
};

const dutch: Recogniser = {
  entity: 'NL_BSN',
  context: 'bsn, burgerservicenummer, sofi, sofinummer',
  forms: [
    {
      shapes: ['999999999', '9999.99.999', '999 999 999'],
      evidence: 'checksum',
      accepts: (digits) => !isOneDigit(digits) && weightedSum(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
    },
  ],
};

/** Belgian national number: birth date, serial, 97 minus the rest; a 2 goes in front for those born since 2000. */
function isBelgianNumber(digits: string): boolean {
  const check = Number(digits.slice(9));
  const isCheck = [digits.slice(0, 9), `2${digits.slice(0, 9)}`].some((body) => 97 - mod97(body) === check);
  return isCheck && hasDate(digits, 0, 2, 2, 4);
}

const belgian: Recogniser = {
  entity: 'BE_NATIONAL_NUMBER',
  context: 'rijksregisternummer, insz, niss, registre national, national number',
  forms: [
    {
      shapes: ['99999999999', '99.99.99-999.99', '99.99.99 999.99'],
      evidence: 'unmistakable',
      accepts: isBelgianNumber,
    },
  ],
};

/** Swiss social security number: country 756 and an EAN-13 check digit. */
const isAhv = (digits: string): boolean =>
  digits.startsWith('756') && weightedSum(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0;

const swiss: Recogniser = {
  entity: 'CH_AHV',
  context: 'ahv, avs, sozialversicherungsnummer',
  forms: [{ shapes: ['999.9999.9999.99', '9999999999999'], evidence: 'unmistakable', accepts: isAhv }],
};

const austrian: Recogniser = {
  entity: 'AT_SVNR',
  context: 'svnr, sozialversicherungsnummer, versicherungsnummer, sv nummer',
  forms: [
    {
      shapes: ['9999 999999', '9999999999'],
      evidence: 'checksum',
      accepts: (digits) =>
        weightedSum(digits, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 === digitAt(digits, 3) && hasDate(digits, 8, 2, 6, 4),
    },
  ],
};

/** Irish PPS number: mod 23, weights 8 to 2, a second letter counts nine times. */
function isPps(compact: string): boolean {
  const second = compact.length === 9 ? (compact.charCodeAt(8) - 64) * 9 : 0;
  const rest = (weightedSum(compact, [8, 7, 6, 5, 4, 3, 2]) + second) % 23;
  return compact.charAt(7) === 'WABCDEFGHIJKLMNOPQRSTUV'.charAt(rest);
}

const irish: Recogniser = {
  entity: 'IE_PPS',
  context: 'pps, ppsn, pps number, personal public service',
  forms: [{ shapes: ['9999999A', '9999999AA'], evidence: 'checksum', accepts: isPps }],
};

/** Polish PESEL: weights 1, 3, 7, 9; the month tells the century. */
function isPesel(digits: string): boolean {
  const month = String(Number(digits.slice(2, 4)) % 20).padStart(2, '0');
  const check = (10 - (weightedSum(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)) % 10;
  return check === digitAt(digits, 10) && hasDate(digits.slice(0, 2) + month + digits.slice(4), 0, 2, 2, 4);
}

const pesel: Recogniser = {
  entity: 'PL_PESEL',
  context: 'pesel',
  forms: [{ shapes: ['99999999999'], evidence: 'unmistakable', accepts: isPesel }],
};

const nip: Recogniser = {
  entity: 'PL_NIP',
  context: 'nip, podatnika, vat',
  forms: [
    {
      shapes: ['999-999-99-99', '999-99-99-999', '9999999999'],
      evidence: 'checksum',
      accepts: (digits) =>
        weightedSum(digits, [6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 === digitAt(digits, 9) && !isOneDigit(digits),
    },
  ],
};

/** Czech and Slovak birth number: date (women add 50, since 2004 also 20), divisible by 11. */
function isBirthNumber(digits: string): boolean {
  const month = Number(digits.slice(2, 4)) % 50;
  const date = digits.slice(0, 2) + String(month > 20 ? month - 20 : month).padStart(2, '0') + digits.slice(4, 6);
  return hasDate(date, 0, 2, 2, 4) && Number(digits) % 11 === 0;
}

const birthNumber: Recogniser = {
  entity: 'CZ_BIRTH_NUMBER',
  context: 'rodné číslo, rodne cislo, rč',
  forms: [
    { shapes: ['999999/9999'], evidence: 'unmistakable', accepts: isBirthNumber },
    { shapes: ['9999999999'], evidence: 'checksum', accepts: isBirthNumber },
  ],
};

const croatian: Recogniser = {
  entity: 'HR_OIB',
  context: 'oib, osobni identifikacijski',
  forms: [{ shapes: ['99999999999'], evidence: 'checksum', accepts: iso7064Mod11And10 }],
};

/** Numbers given out in Northern and Central Europe. */
export const northernEuropean: readonly Recogniser[] = [
  finnish,
  swedishPerson,
  swedishOrganisation,
  norwegian,
  danish,
  dutch,
  belgian,
  swiss,
  austrian,
  irish,
  pesel,
  nip,
  birthNumber,
  croatian,
];
