import { digitAt, hasDate, icaoCheck, iso7064Mod11And10, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

/** How often the most frequent of the first ten digits stands there, and how many different ones there are. */
function digitCounts(digits: string): { readonly most: number; readonly distinct: number } {
  const counts = new Map<string, number>();
  for (const digit of digits.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  return { most: Math.max(...counts.values()), distinct: counts.size };
}

const isTaxId = (digits: string): boolean =>
  !digits.startsWith('0') && digitCounts(digits).most <= 3 && iso7064Mod11And10(digits);

/** One digit twice and one missing, or (since 2016) one three times and two missing: few other numbers are so. */
function hasTaxIdDigits(digits: string): boolean {
  const { most, distinct } = digitCounts(digits);
  return (most === 2 && distinct === 9) || (most === 3 && distinct === 8);
}

const taxId: Recogniser = {
  entity: 'DE_TAX_ID',
  context: 'steuer id, steuerid, steueridentifikationsnummer, identifikationsnummer, idnr, tax id, steuerliche',
  forms: [
    {
      shapes: ['99999999999', '99 999 999 999'],
      evidence: 'unmistakable',
      accepts: (digits) => isTaxId(digits) && hasTaxIdDigits(digits),
    },
    { shapes: ['99999999999', '99 999 999 999'], evidence: 'checksum', accepts: isTaxId },
  ],
};

const taxNumber: Recogniser = {
  entity: 'DE_TAX_NUMBER',
  context: 'steuernummer, steuer nummer, steuer nr, st nr, finanzamt, tax number',
  forms: [
    // ELSTER form: begins with the number of the state, 01 to 16.
    { shapes: ['9999999999999'], evidence: 'form', accepts: (digits) => /^(?:0[1-9]|1[0-6])/.test(digits) },
    { shapes: ['999/999/99999', '99/999/99999', '999/9999/9999', '99/999/9999'], evidence: 'form' },
  ],
};

const VAT_SHAPES = [
  'AA999999999',
  'AA 999999999',
  'AA 999 999 999',
  'AA.999.999.999',
  'AA 999-999.999',
  'AA-999-999-999',
];

const vatId: Recogniser = {
  entity: 'DE_VAT_ID',
  context: 'ust, ustid, ust id, ust idnr, umsatzsteuer, umsatzsteuer id, vat, vat id, rechnung',
  forms: [
    {
      shapes: VAT_SHAPES,
      evidence: 'unmistakable',
      accepts: (compact, written) => written.startsWith('DE') && iso7064Mod11And10(compact.slice(2)),
    },
    { shapes: VAT_SHAPES, evidence: 'form', accepts: (compact) => /^DE[1-9]/.test(compact) },
  ],
};

/** Letters that nobody takes for a digit, vowels left out so that no words come about. */
const PASSPORT = /^[CFGHJK][CFGHJ-NPRTV-Z0-9]{7}\d$/;
const ID_CARD = /^[LMNPRTVWXY][CFGHJ-NPRTV-Z0-9]{7,8}\d$/;

const passport: Recogniser = {
  entity: 'DE_PASSPORT',
  context: 'reisepass, pass, passnummer, reisepassnummer, passport',
  forms: [
    { shapes: ['AXXXXXXX9'], evidence: 'checksum', accepts: (compact) => PASSPORT.test(compact) && icaoCheck(compact) },
  ],
};

const idCard: Recogniser = {
  entity: 'DE_ID_CARD',
  context: 'personalausweis, ausweis, ausweisnummer, personalausweisnummer, id card, identity card',
  forms: [
    {
      shapes: ['AXXXXXXX9', 'AXXXXXXXX9'],
      evidence: 'checksum',
      accepts: (compact) => ID_CARD.test(compact) && icaoCheck(compact),
    },
  ],
};

/** Area, date of birth, initial (as two digits), serial, check: cross sums of digit times weight, mod 10. */
function isPensionNumber(compact: string): boolean {
  const letter = String(compact.charCodeAt(8) - 64).padStart(2, '0');
  const digits = compact.slice(0, 8) + letter + compact.slice(9);
  const weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const product = digitAt(digits, i) * (weights[i] ?? 0);
    sum += Math.floor(product / 10) + (product % 10);
  }
  const day = Number(compact.slice(2, 4));
  const isDay = day >= 51 ? day <= 81 : hasDate(compact, 6, 2, 4, 2);
  return isDay && sum % 10 === digitAt(digits, 12);
}

const socialSecurity: Recogniser = {
  entity: 'DE_SOCIAL_SECURITY',
  context: 'sozialversicherungsnummer, rentenversicherungsnummer, versicherungsnummer, sv nummer, rvnr, svnr',
  forms: [
    {
      shapes: ['99999999A999', '99 999999 A 999', '99 999999 A999'],
      evidence: 'unmistakable',
      accepts: isPensionNumber,
    },
  ],
};

/** Letter as two digits, then eight digits; alternating weights 1 and 2, cross sums, mod 10. */
function isHealthInsuranceNumber(compact: string): boolean {
  const digits = String(compact.charCodeAt(0) - 64).padStart(2, '0') + compact.slice(1, 9);
  let sum = 0;
  for (let i = 0; i < 10; i++) {
    const product = digitAt(digits, i) * (i % 2 === 0 ? 1 : 2);
    sum += product > 9 ? product - 9 : product;
  }
  return sum % 10 === digitAt(compact, 9);
}

const healthInsurance: Recogniser = {
  entity: 'DE_HEALTH_INSURANCE',
  context: 'krankenkasse, krankenversicherung, krankenversichertennummer, versichertennummer, kvnr, gesundheitskarte',
  forms: [{ shapes: ['A999999999'], evidence: 'checksum', accepts: isHealthInsuranceNumber }],
};

const lanr: Recogniser = {
  entity: 'DE_LANR',
  context: 'lanr, arztnummer, arzt, arztes',
  forms: [
    {
      shapes: ['999999999'],
      evidence: 'checksum',
      accepts: (digits) => (10 - (weightedSum(digits, [4, 9, 4, 9, 4, 9]) % 10)) % 10 === digitAt(digits, 6),
    },
  ],
};

/** Regions of the associations of physicians. */
const BSNR = /^(?:0[123]|17|20|38|46|51|52|7[1-4]|78|83|88|93|98)\d{7}$/;

const bsnr: Recogniser = {
  entity: 'DE_BSNR',
  context: 'bsnr, betriebsstättennummer, betriebsstaettennummer, betriebsstätte',
  forms: [{ shapes: ['999999999'], evidence: 'form', accepts: (digits) => BSNR.test(digits) }],
};

const drivingLicence: Recogniser = {
  entity: 'DE_FUEHRERSCHEIN',
  context: 'führerschein, fuehrerschein, führerscheinnummer, fahrerlaubnis, driving licence, driver license',
  forms: [{ shapes: ['AA99999999X'], evidence: 'form' }],
};

const commercialRegister: Recogniser = {
  entity: 'DE_HANDELSREGISTER',
  context: 'handelsregister, amtsgericht, registergericht, registernummer, handelsregisternummer',
  forms: [1, 2, 3, 4, 5, 6].map((length) => ({
    shapes: [`AAA ${'9'.repeat(length)}`, `AAA${'9'.repeat(length)}`],
    evidence: length >= 3 ? ('unmistakable' as const) : ('form' as const),
    accepts: (_: string, written: string) => /^HR[AB]/.test(written),
  })),
};

const plate: Recogniser = {
  entity: 'DE_KFZ',
  context: 'kennzeichen, kfz, kfz kennzeichen, fahrzeug, nummernschild, autokennzeichen, amtliches',
  forms: [
    {
      shapes: ['A', 'AA', 'AAA'].flatMap((place) =>
        ['A', 'AA'].flatMap((letters) =>
          ['9', '99', '999', '9999'].flatMap((digits) =>
            [' ', '-'].flatMap((first) => [`${place}${first}${letters} ${digits}`, `${place}-${letters}-${digits}`]),
          ),
        ),
      ),
      evidence: 'form',
      accepts: (_, written) => written === written.toUpperCase(),
    },
  ],
};

const postcode: Recogniser = {
  entity: 'DE_PLZ',
  context: 'plz, postleitzahl',
  forms: [{ shapes: ['99999'], evidence: 'form', accepts: (digits) => digits >= '01001' && digits <= '99998' }],
};

/** Numbers given out in Germany. */
export const german: readonly Recogniser[] = [
  taxId,
  taxNumber,
  vatId,
  passport,
  idCard,
  socialSecurity,
  healthInsurance,
  lanr,
  bsnr,
  drivingLicence,
  commercialRegister,
  plate,
  postcode,
];
