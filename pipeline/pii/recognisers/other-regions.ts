import { digitAt, hasDate, isOneDigit, luhn, verhoeff, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

/** Weights 10, 1, 3, ... 19 after one is taken from the first digit; divisible by 89. */
const isAbn = (digits: string): boolean =>
  (weightedSum(digits, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10) % 89 === 0 && !isOneDigit(digits);

const abn: Recogniser = {
  entity: 'AU_ABN',
  context: 'abn, australian business',
  forms: [{ shapes: ['99999999999', '99 999 999 999', '99-999-999-999'], evidence: 'unmistakable', accepts: isAbn }],
};

const acn: Recogniser = {
  entity: 'AU_ACN',
  context: 'acn, australian company',
  forms: [
    {
      shapes: ['999999999', '999 999 999'],
      evidence: 'checksum',
      accepts: (digits) => (10 - (weightedSum(digits, [8, 7, 6, 5, 4, 3, 2, 1]) % 10)) % 10 === digitAt(digits, 8),
    },
  ],
};

const tfn: Recogniser = {
  entity: 'AU_TFN',
  context: 'tfn, tax file',
  forms: [
    {
      shapes: ['999999999', '999 999 999', '999-999-999'],
      evidence: 'checksum',
      accepts: (digits) => weightedSum(digits, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0 && !isOneDigit(digits),
    },
  ],
};

const isMedicare = (digits: string): boolean =>
  /^[2-6]/.test(digits) && weightedSum(digits, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === digitAt(digits, 8);

const medicare: Recogniser = {
  entity: 'AU_MEDICARE',
  context: 'medicare',
  forms: [
    { shapes: ['9999 99999 9'], evidence: 'unmistakable', accepts: isMedicare },
    { shapes: ['9999999999'], evidence: 'checksum', accepts: isMedicare },
  ],
};

/** South African identity number: birth date, sequence, citizenship 0 or 1, Luhn. */
const isSouthAfrican = (digits: string): boolean =>
  hasDate(digits, 0, 2, 2, 4) && /^[01]$/.test(digits.charAt(10)) && luhn(digits);

const southAfrican: Recogniser = {
  entity: 'ZA_ID_NUMBER',
  context: 'south african, rsa, rsa id, sa id, id number, identity number, identiteitsnommer',
  forms: [{ shapes: ['9999999999999', '999999 9999 999'], evidence: 'unmistakable', accepts: isSouthAfrican }],
};

const nin: Recogniser = {
  entity: 'NG_NIN',
  context: 'nin, nimc, national identification',
  forms: [
    { shapes: ['99999999999'], evidence: 'checksum', accepts: (digits) => verhoeff(digits) && !isOneDigit(digits) },
  ],
};

const nigerianVehicle: Recogniser = {
  entity: 'NG_VEHICLE_REGISTRATION',
  context: 'vehicle, plate, plate number, registration, number plate, car, frsc',
  forms: [
    {
      shapes: ['AAA-999AA', 'AAA 999AA', 'AAA-999 AA', 'AAA999AA'],
      evidence: 'form',
      accepts: (_, written) => written === written.toUpperCase(),
    },
  ],
};

/** Two check digits: the tenth over odd and even places, the eleventh over all. */
function isTurkishId(digits: string): boolean {
  const odd = weightedSum(digits, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const even = weightedSum(digits, [0, 1, 0, 1, 0, 1, 0, 1]);
  const tenth = (((odd * 7 - even) % 10) + 10) % 10;
  return !digits.startsWith('0') && tenth === digitAt(digits, 9) && (odd + even + tenth) % 10 === digitAt(digits, 10);
}

const turkishId: Recogniser = {
  entity: 'TR_NATIONAL_ID',
  context: 'tckn, tc kimlik, kimlik, kimlik no, turkish id',
  forms: [{ shapes: ['99999999999'], evidence: 'unmistakable', accepts: isTurkishId }],
};

const turkishPlate: Recogniser = {
  entity: 'TR_LICENSE_PLATE',
  context: 'plaka, plakası, plakasi, plaka numarası, araç, license plate, plate',
  forms: [
    {
      shapes: ['A', 'AA', 'AAA'].flatMap((letters) =>
        ['99', '999', '9999', '99999'].flatMap((digits) => [`99 ${letters} ${digits}`, `99${letters}${digits}`]),
      ),
      evidence: 'form',
      accepts: (compact, written) =>
        written === written.toUpperCase() &&
        /^(?:0[1-9]|[1-7]\d|8[01])(?:[A-Z]\d{3,5}|[A-Z]{2}\d{3,4}|[A-Z]{3}\d{2,4})$/.test(compact),
    },
  ],
};

const philippineTin: Recogniser = {
  entity: 'PH_TIN',
  context: 'tin, bir, tax identification, taxpayer',
  forms: [
    {
      shapes: ['999-999-999-999', '999-999-999-99999'],
      evidence: 'unmistakable',
      accepts: (digits) => !isOneDigit(digits),
    },
    {
      shapes: ['999-999-999', '999999999999', '999999999'],
      evidence: 'form',
      accepts: (digits) => !isOneDigit(digits),
    },
  ],
};

/** Emirates ID: 784, year of birth, serial, Luhn. */
const isEmiratesId = (digits: string): boolean => digits.startsWith('784') && luhn(digits);

const emirates: Recogniser = {
  entity: 'AE_EMIRATES_ID',
  context: 'emirates id, eid',
  forms: [{ shapes: ['999-9999-9999999-9', '999999999999999'], evidence: 'unmistakable', accepts: isEmiratesId }],
};

/** Numbers given out in Australia, Africa, Turkey, the Emirates and the Philippines. */
export const otherRegions: readonly Recogniser[] = [
  abn,
  acn,
  tfn,
  medicare,
  southAfrican,
  nin,
  nigerianVehicle,
  turkishId,
  turkishPlate,
  philippineTin,
  emirates,
];
