import { digitAt, isOneDigit, luhn, mod97, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

const isUpper = (written: string): boolean => written === written.toUpperCase();

const NIF_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';
const hasNifLetter = (number: string, letter: string): boolean => NIF_LETTERS.charAt(Number(number) % 23) === letter;
const isNif = (compact: string): boolean => hasNifLetter(compact.slice(0, -1), compact.slice(-1));
/** X, Y, Z stand for a leading 0, 1, 2. */
const isNie = (compact: string): boolean =>
  /^[XYZ]/.test(compact) && hasNifLetter('XYZ'.indexOf(compact.charAt(0)) + compact.slice(1, 8), compact.charAt(8));

const NIF_SHAPES = ['99999999A', '99999999-A', '99999999 A', '99.999.999-A', '9999999A'];

const spanishNif: Recogniser = {
  entity: 'ES_NIF',
  context: 'nif, dni, documento nacional, identificación, identificacion, documento',
  forms: [
    {
      shapes: NIF_SHAPES.slice(0, 4),
      evidence: 'unmistakable',
      accepts: (compact, written) => isUpper(written) && isNif(compact),
    },
    { shapes: NIF_SHAPES, evidence: 'checksum', accepts: isNif },
  ],
};

const spanishNie: Recogniser = {
  entity: 'ES_NIE',
  context: 'nie, extranjero, número de identificación',
  forms: [
    {
      shapes: ['A9999999A', 'A-9999999-A'],
      evidence: 'unmistakable',
      accepts: (compact, written) => isUpper(written) && isNie(compact),
    },
    { shapes: ['A9999999A', 'A-9999999-A'], evidence: 'checksum', accepts: isNie },
  ],
};

const spanishPassport: Recogniser = {
  entity: 'ES_PASSPORT',
  context: 'pasaporte, passport, número de pasaporte',
  forms: [{ shapes: ['AAA999999'], evidence: 'form' }],
};

const ODD_VALUES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
/** Digits may be letters where two people would share a code (omocodia). */
const FISCAL_CODE =
  /^[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST](?:[04LQ][1-9MNP-V]|[1256MNRS][0-9LMNP-V]|[37PT][01LM])[A-Z][0-9LMNP-V]{3}[A-Z]$/;

function hasFiscalCheck(compact: string): boolean {
  let sum = 0;
  for (let i = 0; i < 15; i++) {
    const code = compact.charCodeAt(i);
    const value = code >= 65 ? code - 65 : code - 48;
    sum += i % 2 === 0 ? (ODD_VALUES[value] ?? 0) : value;
  }
  return compact.charCodeAt(15) - 65 === sum % 26;
}

const FISCAL_SHAPES = ['AAAAAAXXAXXAXXXA', 'AAAAAA 99A99 A999A', 'AAA AAA 99A99 A999A'];

const italianFiscalCode: Recogniser = {
  entity: 'IT_FISCAL_CODE',
  context: 'codice fiscale, fiscale, cf, fiscal code',
  forms: [
    {
      shapes: FISCAL_SHAPES,
      evidence: 'unmistakable',
      accepts: (compact) => FISCAL_CODE.test(compact) && hasFiscalCheck(compact),
    },
    { shapes: FISCAL_SHAPES, evidence: 'form', accepts: (compact) => FISCAL_CODE.test(compact) },
  ],
};

const italianVat: Recogniser = {
  entity: 'IT_VAT_CODE',
  context: 'piva, p iva, partita iva, partita, vat, codice iva',
  forms: [
    {
      shapes: ['99999999999', '99999999_999', 'AA99999999999'],
      evidence: 'checksum',
      accepts: (compact) => {
        const digits = compact.replace(/^IT/, '');
        return digits.length === 11 && !isOneDigit(digits) && luhn(digits);
      },
    },
  ],
};

const italianDriverLicense: Recogniser = {
  entity: 'IT_DRIVER_LICENSE',
  context: 'patente, patente di guida, licenza, driver license, driving licence',
  forms: [
    { shapes: ['AA9999999A'], evidence: 'form' },
    {
      shapes: ['A9XXXXXXXA'],
      evidence: 'form',
      accepts: (compact) => /^U1[B-DF-HJ-NPR-TU-Z0-9]{7}[A-Z]$/.test(compact) && !/[EIOQ]/.test(compact.slice(2, 9)),
    },
  ],
};

const italianPassport: Recogniser = {
  entity: 'IT_PASSPORT',
  context: 'passaporto, passport, elettronico, italiano',
  forms: [{ shapes: ['AA9999999'], evidence: 'form' }],
};

const italianIdentityCard: Recogniser = {
  entity: 'IT_IDENTITY_CARD',
  context: 'carta, identità, identita, carta d identità, cie, elettronica, identity card',
  forms: [{ shapes: ['AA9999999', 'AA 9999999', '9999999AA', 'AA99999AA'], evidence: 'form' }],
};

/** Portuguese NIF: mod 11, weights 9 to 2. */
function isPortugueseNif(digits: string): boolean {
  const rest = weightedSum(digits, [9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return /^(?:[1235689]|45|7[0-9])/.test(digits) && (rest < 2 ? 0 : 11 - rest) === digitAt(digits, 8);
}

const portugueseNif: Recogniser = {
  entity: 'PT_NIF',
  context: 'nif, contribuinte, número de contribuinte, identificação fiscal',
  forms: [{ shapes: ['999999999', '999 999 999'], evidence: 'checksum', accepts: isPortugueseNif }],
};

/** French social security number: sex, year, month, place, serial, and the rest of 97; Corsica's 2A and 2B count as 19 and 18. */
function isNir(compact: string): boolean {
  if (!/^[1-478]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2[AB])\d{8}$/.test(compact)) return false;
  const body = compact.slice(0, 13).replace('2A', '19').replace('2B', '18');
  return 97 - (mod97(body) % 97) === Number(compact.slice(13));
}

const frenchNir: Recogniser = {
  entity: 'FR_NIR',
  context: 'nir, sécurité sociale, securite sociale, sécu, insee, numéro de sécurité',
  forms: [
    {
      shapes: [
        '9 99 99 99 999 999 99',
        '9 99 99 99 999 999-99',
        '999999999999999',
        '999999A99999999',
        '9 99 99 9A 999 999 99',
      ],
      evidence: 'unmistakable',
      accepts: isNir,
    },
  ],
};

/** Numbers given out in Spain, Italy, Portugal and France. */
export const southernEuropean: readonly Recogniser[] = [
  spanishNif,
  spanishNie,
  spanishPassport,
  portugueseNif,
  frenchNir,
  italianFiscalCode,
  italianVat,
  italianDriverLicense,
  italianPassport,
  italianIdentityCard,
];
