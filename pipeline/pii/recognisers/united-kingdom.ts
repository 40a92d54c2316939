import { digitAt, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

/** Mod 11 with weights 10 to 2; a check value of 10 is never given out. */
function isNhsNumber(digits: string): boolean {
  const check = (11 - (weightedSum(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
  return check === digitAt(digits, 9) && !/^0{9}/.test(digits);
}

const nhs: Recogniser = {
  entity: 'UK_NHS',
  context: 'nhs, nhs number, national health, health service, patient',
  forms: [{ shapes: ['999~999~9999'], evidence: 'checksum', accepts: isNhsNumber }],
};

/** Prefixes without D, F, I, Q, U, V (and O in second place), and those that are reserved. */
const isNino = (compact: string): boolean =>
  /^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]$/.test(compact) && !/^(?:BG|GB|KN|NK|NT|TN|ZZ)/.test(compact);

const NINO_SHAPES = ['AA999999A', 'AA 99 99 99 A', 'AA 999999 A', 'AA-99-99-99-A'];

const nino: Recogniser = {
  entity: 'UK_NINO',
  context: 'national insurance, ni number, nino, insurance number',
  forms: [
    {
      shapes: NINO_SHAPES,
      evidence: 'unmistakable',
      accepts: (compact, written) => isNino(compact) && written === written.toUpperCase(),
    },
    { shapes: NINO_SHAPES, evidence: 'checksum', accepts: isNino },
  ],
};

const passport: Recogniser = {
  entity: 'UK_PASSPORT',
  context: 'passport, passports, passport number, travel document',
  forms: [{ shapes: ['AA9999999', '999999999'], evidence: 'form', accepts: (_, written) => /^[A-Z]{2}/.test(written) }],
};

const POSTCODE =
  /^(?:GIR0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRV-Y])\d[ABD-HJLNP-UW-Z]{2})$/;

const postcode: Recogniser = {
  entity: 'UK_POSTCODE',
  context: 'postcode, post code, postal code, address',
  forms: [
    {
      shapes: ['A9', 'A99', 'AA9', 'AA99', 'A9A', 'AA9A']
        .flatMap((outward) => [`${outward} 9AA`, `${outward}9AA`])
        .concat('AAA 9AA', 'AAA9AA'),
      evidence: 'form',
      accepts: (compact) => POSTCODE.test(compact),
    },
  ],
};

/** Since 2001: two letters, age identifier (02-29, 51-79), three letters. Before: an age letter first, or last. */
function isRegistration(compact: string): boolean {
  const current = /^[A-HJ-PR-Y]{2}(\d{2})[A-HJ-PR-Z]{3}$/.exec(compact);
  if (current) {
    const age = Number(current[1]);
    return (age >= 2 && age <= 29) || (age >= 51 && age <= 79);
  }
  return /^(?:[A-HJ-NPR-TV-Y]\d{1,3}[A-HJ-PR-Y]{3}|[A-HJ-PR-Y]{3}\d{1,3}[A-HJ-NPR-TV-Y])$/.test(compact);
}

const vehicle: Recogniser = {
  entity: 'UK_VEHICLE_REGISTRATION',
  context: 'vehicle, vehicles, registration, number plate, licence plate, license plate, plate, vrm',
  forms: [
    {
      shapes: ['AA99 AAA', 'AA99AAA', 'A9', 'A99', 'A999', '9A', '99A', '999A'].flatMap((shape) =>
        shape.length > 4
          ? [shape]
          : shape.startsWith('A')
            ? [`${shape} AAA`, `${shape}AAA`]
            : [`AAA ${shape}`, `AAA${shape}`],
      ),
      evidence: 'form',
      // Small letters only in the current style: "t3 but" has the shape of an older one.
      accepts: (compact, written) =>
        isRegistration(compact) && (compact.length === 7 || written === written.toUpperCase()),
    },
  ],
};

/** Surname, decade, month of birth (plus 50 for women), day, year, initials, check characters. */
const DRIVING_LICENCE = /^[A-Z]{1,5}9{0,4}\d(?:[05][1-9]|[16][0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}[A-Z0-9]{3}$/;

const drivingLicence: Recogniser = {
  entity: 'UK_DRIVING_LICENCE',
  context: 'driving licence, driver licence, dvla, licence number',
  forms: [
    {
      shapes: ['AAAAA', 'AAAA9', 'AAA99', 'AA999', 'A9999'].map((surname) => `${surname}999999AXXXX`),
      evidence: 'unmistakable',
      accepts: (compact) => compact.length === 16 && DRIVING_LICENCE.test(compact),
    },
  ],
};

/** Numbers given out in the United Kingdom. */
export const british: readonly Recogniser[] = [nhs, nino, passport, postcode, vehicle, drivingLicence];
