import { digitAt, hasDate, isOneDigit, luhn, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

/** Ranges that the Social Security Administration never gave out, and numbers that advertisements made famous. */
function isSsn(digits: string): boolean {
  const [area, group, serial] = [digits.slice(0, 3), digits.slice(3, 5), digits.slice(5)];
  if (area === '000' || area === '666' || group === '00' || serial === '0000' || isOneDigit(digits)) return false;
  return !['123456789', '987654321', '078051120', '219099999'].includes(digits);
}

const ssn: Recogniser = {
  entity: 'US_SSN',
  context: 'ssn, ssns, ssid, social security, social, soc sec, taxpayer',
  forms: [
    {
      shapes: ['999-99-9999'],
      evidence: 'unmistakable',
      accepts: (digits) => isSsn(digits) && digits.charAt(0) !== '9',
    },
    { shapes: ['999~99~9999', '999-999999', '99999-9999'], evidence: 'form', accepts: isSsn },
  ],
};

/** The middle digits that the IRS uses. */
function isItin(digits: string): boolean {
  const group = Number(digits.slice(3, 5));
  return digits.startsWith('9') && group >= 50 && (group <= 65 || (group >= 70 && group !== 89 && group !== 93));
}

const itin: Recogniser = {
  entity: 'US_ITIN',
  context: 'itin, individual taxpayer, taxpayer, tax id, irs',
  forms: [
    { shapes: ['999-99-9999'], evidence: 'unmistakable', accepts: isItin },
    { shapes: ['999~99~9999', '999-999999', '99999-9999'], evidence: 'form', accepts: isItin },
  ],
};

/** First two digits that the American Bankers Association gives out. */
function hasFederalDistrict(digits: string): boolean {
  const district = Number(digits.slice(0, 2));
  return district <= 12 || (district >= 21 && district <= 32) || (district >= 61 && district <= 72) || district === 80;
}

const abaRouting: Recogniser = {
  entity: 'ABA_ROUTING_NUMBER',
  context: 'aba, routing, rtn, transit number, bank',
  forms: [
    {
      shapes: ['999999999', '9999-9999-9'],
      evidence: 'checksum',
      accepts: (digits) =>
        hasFederalDistrict(digits) &&
        !isOneDigit(digits) &&
        weightedSum(digits, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0,
    },
  ],
};

const bankNumber: Recogniser = {
  entity: 'US_BANK_NUMBER',
  context: 'bank account, account number, account no, acct, checking, savings, debit account, bank number',
  forms: [{ shapes: [8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map((length) => '9'.repeat(length)), evidence: 'form' }],
};

const driverLicense: Recogniser = {
  entity: 'US_DRIVER_LICENSE',
  context:
    'driver s license, driver s licence, drivers license, driver license, driver s permit, driving license, ' +
    'dl number, cdl, license number',
  forms: [
    {
      shapes: [
        ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 18].map((length) => `A${'9'.repeat(length)}`),
        ...[3, 4, 5, 6, 7].map((length) => `AA${'9'.repeat(length)}`),
        'A999999A',
        'AA999999A',
        '99AAA99999',
        '99AAA999999',
        '999999999A',
        '99999999AA',
        '999AA9999',
        'A9A9A',
        '9999999A',
        '99999999A',
        'A999-9999-9999',
        'A999-999-99-999-9',
        'A9999-99999-99999',
      ],
      evidence: 'form',
    },
    {
      shapes: [
        ...[6, 7, 8, 9, 10, 11, 12, 13, 14, 16].map((length) => '9'.repeat(length)),
        '9999-99-9999',
        '99-999-9999',
      ],
      evidence: 'form',
    },
  ],
};

const passport: Recogniser = {
  entity: 'US_PASSPORT',
  context: 'passport, passport number, travel document',
  forms: [{ shapes: ['999999999', 'A99999999'], evidence: 'form' }],
};

/** Medicare beneficiary identifier: positions 1 C, 4 7 10 11 N, 2 5 8 9 A, 3 6 AN; no S, L, O, I, B, Z. */
const MBI = /^[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d[AC-HJKMNP-RT-Y]{2}\d{2}$/;

const mbi: Recogniser = {
  entity: 'US_MBI',
  context: 'medicare, mbi, beneficiary',
  forms: [
    {
      shapes: ['9AX9AX9AA99', '9AX9-AX9-AA99'],
      evidence: 'unmistakable',
      accepts: (compact, written) => MBI.test(compact) && written === written.toUpperCase(),
    },
    { shapes: ['9AX9AX9AA99', '9AX9-AX9-AA99'], evidence: 'form', accepts: (compact) => MBI.test(compact) },
  ],
};

const npi: Recogniser = {
  entity: 'US_NPI',
  context: 'npi, provider, national provider, prescriber, physician',
  forms: [
    {
      shapes: ['9999999999', '9999 999 999', '9999-999-999'],
      evidence: 'checksum',
      // Luhn with the issuer prefix 80840. A run of one digit is a placeholder.
      accepts: (digits) => /^[12]/.test(digits) && !isOneDigit(digits.slice(0, 9)) && luhn(`80840${digits}`),
    },
  ],
};

/** DEA registration: (d1 + d3 + d5) + 2 (d2 + d4 + d6) ends in d7. */
function isDeaNumber(compact: string): boolean {
  const digits = compact.slice(2);
  return weightedSum(digits, [1, 2, 1, 2, 1, 2]) % 10 === digitAt(digits, 6) && /^[A-HJ-MP-UX]/.test(compact);
}

const medicalLicense: Recogniser = {
  entity: 'MEDICAL_LICENSE',
  context: 'dea, medical, license, licence, certificate, registration, prescriber, doctor',
  forms: [
    { shapes: ['AA9999999'], evidence: 'checksum', accepts: isDeaNumber },
    {
      shapes: ['A99999999'],
      evidence: 'checksum',
      accepts: (compact) => compact.charAt(1) === '9' && isDeaNumber(compact),
    },
  ],
};

const canadianSin: Recogniser = {
  entity: 'CA_SIN',
  context: 'sin, social insurance, nas, assurance sociale',
  forms: [
    {
      shapes: ['999~999~999'],
      evidence: 'checksum',
      accepts: (digits) => /^[1-79]/.test(digits) && !isOneDigit(digits) && luhn(digits),
    },
  ],
};

/** CURP: name, birth, sex, state, consonants, and a check digit over an alphabet with Ñ. */
function isCurp(compact: string): boolean {
  if (!/^[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d$/.test(compact)) return false;
  const alphabet = '0123456789ABCDEFGHIJKLMN_OPQRSTUVWXYZ';
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += alphabet.indexOf(compact.charAt(i)) * (18 - i);
  return hasDate(compact, 4, 2, 6, 8) && (10 - (sum % 10)) % 10 === digitAt(compact, 17);
}

const mexicanCurp: Recogniser = {
  entity: 'MX_CURP',
  context: 'curp',
  forms: [{ shapes: ['AAAA999999AAAAAAX9'], evidence: 'unmistakable', accepts: isCurp }],
};

/** Two check digits, each mod 11 over all digits before it. */
function hasBrazilianChecks(digits: string, weights: readonly number[]): boolean {
  const check = (length: number) => {
    const rest = weightedSum(digits, weights.slice(weights.length - length)) % 11;
    return rest < 2 ? 0 : 11 - rest;
  };
  const last = digits.length - 1;
  return !isOneDigit(digits) && check(last - 1) === digitAt(digits, last - 1) && check(last) === digitAt(digits, last);
}

const isCpf = (digits: string) => hasBrazilianChecks(digits, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
const isCnpj = (digits: string) => hasBrazilianChecks(digits, [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);

const brazilianCpf: Recogniser = {
  entity: 'BR_CPF',
  context: 'cpf, cadastro, contribuinte',
  forms: [
    { shapes: ['999.999.999-99'], evidence: 'unmistakable', accepts: isCpf },
    { shapes: ['99999999999'], evidence: 'checksum', accepts: isCpf },
  ],
};

const brazilianCnpj: Recogniser = {
  entity: 'BR_CNPJ',
  context: 'cnpj',
  forms: [
    { shapes: ['99.999.999/9999-99'], evidence: 'unmistakable', accepts: isCnpj },
    { shapes: ['99999999999999'], evidence: 'checksum', accepts: isCnpj },
  ],
};

/** Numbers given out in the Americas. */
export const american: readonly Recogniser[] = [
  ssn,
  itin,
  abaRouting,
  bankNumber,
  driverLicense,
  passport,
  mbi,
  npi,
  medicalLicense,
  canadianSin,
  mexicanCurp,
  brazilianCpf,
  brazilianCnpj,
];
