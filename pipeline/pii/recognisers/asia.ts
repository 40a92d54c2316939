import { digitAt, hasDate, isOneDigit, luhn, verhoeff, weightedSum } from '../checksums.ts';
import type { Recogniser } from '../recogniser.ts';

const isUpper = (written: string): boolean => written === written.toUpperCase();

/** Fourth letter: the kind of holder. */
const PAN = /^[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]$/;

const pan: Recogniser = {
  entity: 'IN_PAN',
  context: 'pan, permanent account, pan card, income tax',
  forms: [
    {
      shapes: ['AAAAA9999A'],
      evidence: 'unmistakable',
      accepts: (compact, written) => isUpper(written) && PAN.test(compact),
    },
    { shapes: ['AAAAA9999A'], evidence: 'form' },
  ],
};

const isPalindrome = (digits: string): boolean =>
  digits.split('').every((digit, i) => digit === digits.charAt(digits.length - 1 - i));

const isAadhaar = (digits: string): boolean => /^[2-9]/.test(digits) && verhoeff(digits) && !isPalindrome(digits);

const aadhaar: Recogniser = {
  entity: 'IN_AADHAAR',
  context: 'aadhaar, aadhar, uidai, uid',
  forms: [
    { shapes: ['9999 9999 9999', '9999-9999-9999', '9999:9999:9999'], evidence: 'unmistakable', accepts: isAadhaar },
    { shapes: ['999999999999'], evidence: 'checksum', accepts: isAadhaar },
  ],
};

/** State, PAN, number of the registration, Z, check. */
const GSTIN = /^(?:0[1-9]|[12]\d|3[0-8]|97)[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]$/;

const gstin: Recogniser = {
  entity: 'IN_GSTIN',
  context: 'gstin, gst, gst number',
  forms: [{ shapes: ['99AAAAA9999AXAX'], evidence: 'unmistakable', accepts: (compact) => GSTIN.test(compact) }],
};

const STATES =
  'AN AP AR AS BH BR CG CH DD DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TN TR TS UK UP WB';

const indianVehicle: Recogniser = {
  entity: 'IN_VEHICLE_REGISTRATION',
  context: 'vehicle, registration, rc, license plate, number plate, plate, rto, car',
  forms: [
    {
      shapes: ['AA9', 'AA99'].flatMap((district) =>
        ['A', 'AA', 'AAA'].flatMap((series) => [
          `${district}${series}9999`,
          `${district} ${series} 9999`,
          `${district.slice(0, 2)}-${district.slice(2)}-${series}-9999`,
        ]),
      ),
      evidence: 'form',
      accepts: (compact) => STATES.includes(compact.slice(0, 2)),
    },
  ],
};

const voter: Recogniser = {
  entity: 'IN_VOTER',
  context: 'voter, vote, epic, election, elector',
  forms: [{ shapes: ['AAA9999999'], evidence: 'form' }],
};

const indianPassport: Recogniser = {
  entity: 'IN_PASSPORT',
  context: 'passport, passport number, travel document',
  forms: [{ shapes: ['A9999999'], evidence: 'form', accepts: (compact) => /^[A-Z][1-9]\d{5}[1-9]$/.test(compact) }],
};

const KOREAN_WEIGHTS = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];

/** Birth date, sex and century, region of registration. Since October 2020 the rest is random, so the check digit proves only. */
const isKorean = (digits: string, century: RegExp): boolean =>
  century.test(digits.charAt(6)) && hasDate(digits, 0, 2, 2, 4) && Number(digits.slice(7, 9)) <= 95;
const hasKoreanCheck = (digits: string, base: 11 | 13): boolean =>
  (base - (weightedSum(digits, KOREAN_WEIGHTS) % 11)) % 10 === digitAt(digits, 12);

const koreanNumber = (entity: 'KR_RRN' | 'KR_FRN', century: RegExp, base: 11 | 13, context: string): Recogniser => ({
  entity,
  context,
  forms: [
    { shapes: ['999999-9999999'], evidence: 'unmistakable', accepts: (digits) => isKorean(digits, century) },
    {
      shapes: ['9999999999999'],
      evidence: 'checksum',
      accepts: (digits) => isKorean(digits, century) && hasKoreanCheck(digits, base),
    },
    { shapes: ['9999999999999'], evidence: 'form', accepts: (digits) => isKorean(digits, century) },
  ],
});

const rrn = koreanNumber('KR_RRN', /^[1-4]$/, 11, 'rrn, 주민등록번호, 주민번호, resident registration, korean');
const frn = koreanNumber('KR_FRN', /^[5-8]$/, 13, 'frn, 외국인등록번호, foreigner registration, alien registration');

/** Weights 1, 3, 7, 1, 3, 7, 1, 3, 5; the ninth product also gives its tens. */
function isKoreanBusiness(digits: string): boolean {
  const sum = weightedSum(digits, [1, 3, 7, 1, 3, 7, 1, 3, 5]) + Math.floor((digitAt(digits, 8) * 5) / 10);
  return (10 - (sum % 10)) % 10 === digitAt(digits, 9);
}

const koreanBusiness: Recogniser = {
  entity: 'KR_BRN',
  context: 'brn, 사업자등록번호, 사업자번호, business registration',
  forms: [
    { shapes: ['999-99-99999'], evidence: 'unmistakable', accepts: isKoreanBusiness },
    { shapes: ['9999999999'], evidence: 'checksum', accepts: isKoreanBusiness },
  ],
};

/** First group: the office, 11 to 28. */
const isKoreanLicense = (digits: string): boolean => digits >= '11' && digits < '29';

const koreanLicense: Recogniser = {
  entity: 'KR_DRIVER_LICENSE',
  context: '운전면허, 면허번호, 운전면허번호, driver license, driver s license, license',
  forms: [
    { shapes: ['99-99-999999-99'], evidence: 'unmistakable', accepts: isKoreanLicense },
    { shapes: ['999999999999'], evidence: 'form', accepts: isKoreanLicense },
  ],
};

const koreanPassport: Recogniser = {
  entity: 'KR_PASSPORT',
  context: '여권, 여권번호, 대한민국, passport, korean passport',
  forms: [{ shapes: ['A999A9999', 'A99999999'], evidence: 'form', accepts: (compact) => /^[MSRODG]/.test(compact) }],
};

/** Provinces in digits two and three; check digit mod 11. */
function isThaiNumber(digits: string): boolean {
  const isProvince = /^[1-8](?:1\d|2[0-7]|[34]\d|5[0-8]|6[0-7]|7[0-7]|8[0-6]|9[0-6])/.test(digits);
  const sum = weightedSum(digits, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
  return isProvince && (11 - (sum % 11)) % 10 === digitAt(digits, 12);
}

const thai: Recogniser = {
  entity: 'TH_TNIN',
  context: 'tnin, thai id, thai national, national id, เลขประจำตัวประชาชน, บัตรประชาชน',
  forms: [
    { shapes: ['9-9999-99999-99-9', '9 9999 99999 99 9'], evidence: 'unmistakable', accepts: isThaiNumber },
    { shapes: ['9999999999999'], evidence: 'checksum', accepts: isThaiNumber },
  ],
};

const NRIC_LETTERS: Readonly<Record<string, string>> = {
  S: 'JZIHGFEDCBA',
  T: 'GFEDCBAJZIH',
  F: 'XWUTRQPNMLK',
  G: 'RQPNMLKXWUT',
  M: 'XWUTRQPNJLK',
};

/** Letter, seven digits, check letter by series. */
function isNric(compact: string): boolean {
  const series = compact.charAt(0);
  const offset = series === 'M' ? 3 : 0;
  return (
    NRIC_LETTERS[series]?.charAt((weightedSum(compact, [2, 7, 6, 5, 4, 3, 2], 1) + offset) % 11) === compact.charAt(8)
  );
}

const nric: Recogniser = {
  entity: 'SG_NRIC_FIN',
  context: 'nric, fin, fin number, identity card, singapore',
  forms: [
    {
      shapes: ['A9999999A'],
      evidence: 'unmistakable',
      accepts: (compact, written) => isUpper(written) && isNric(compact),
    },
    { shapes: ['A9999999A'], evidence: 'form' },
  ],
};

const UEN_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWX0123456789';

/** Businesses, local companies and others have a check letter each of their own. */
function isUen(compact: string): boolean {
  const check = compact.slice(-1);
  if (compact.length === 9) return 'XMKECAWLJDB'.charAt(weightedSum(compact, [10, 4, 9, 3, 8, 2, 7, 1]) % 11) === check;
  if (/^\d/.test(compact))
    return 'ZKCMDNERGWH'.charAt(weightedSum(compact, [10, 8, 6, 4, 9, 7, 5, 3, 1]) % 11) === check;
  let sum = 0;
  for (const [i, weight] of [4, 3, 5, 3, 10, 2, 2, 5, 7].entries())
    sum += UEN_ALPHABET.indexOf(compact.charAt(i)) * weight;
  return /^[RST]/.test(compact) && UEN_ALPHABET.charAt((((sum - 5) % 11) + 11) % 11) === check;
}

const uen: Recogniser = {
  entity: 'SG_UEN',
  context: 'uen, unique entity, business registration, acra',
  forms: [
    { shapes: ['99999999A', '999999999A'], evidence: 'checksum', accepts: isUen },
    {
      shapes: ['A99AA9999A'],
      evidence: 'unmistakable',
      accepts: (compact, written) => isUpper(written) && isUen(compact),
    },
    { shapes: ['A99AA9999A'], evidence: 'checksum', accepts: isUen },
  ],
};

/** Resident identity of China: place, birth date, serial, check mod 11 with X for ten. */
function isChineseId(compact: string): boolean {
  const rest = weightedSum(compact, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
  return /^[1-8]/.test(compact) && hasDate(compact, 6, 4, 10, 12) && '10X98765432'.charAt(rest) === compact.charAt(17);
}

const chinese: Recogniser = {
  entity: 'CN_RESIDENT_ID',
  context: '身份证, 身份证号, 居民身份证, resident identity, id card',
  forms: [{ shapes: ['999999999999999999', '99999999999999999A'], evidence: 'unmistakable', accepts: isChineseId }],
};

/** Individual number of Japan: mod 11 over weights 6..2, 7..2. */
function isMyNumber(digits: string): boolean {
  const rest = weightedSum(digits, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return (rest <= 1 ? 0 : 11 - rest) === digitAt(digits, 11) && !isOneDigit(digits);
}

const japanese: Recogniser = {
  entity: 'JP_MY_NUMBER',
  context: 'マイナンバー, 個人番号, my number, individual number',
  forms: [{ shapes: ['999999999999', '9999 9999 9999', '9999-9999-9999'], evidence: 'checksum', accepts: isMyNumber }],
};

const israeli: Recogniser = {
  entity: 'IL_ID',
  context: 'teudat zehut, תעודת זהות, israeli id, ת ז',
  forms: [{ shapes: ['999999999'], evidence: 'checksum', accepts: (digits) => luhn(digits) && !isOneDigit(digits) }],
};

/** Numbers given out in South and East Asia. */
export const asian: readonly Recogniser[] = [
  pan,
  aadhaar,
  gstin,
  indianVehicle,
  voter,
  indianPassport,
  rrn,
  frn,
  koreanBusiness,
  koreanLicense,
  koreanPassport,
  thai,
  nric,
  uen,
  chinese,
  japanese,
  israeli,
];
