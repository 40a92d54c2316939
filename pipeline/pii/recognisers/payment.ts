import { isOneDigit, luhn, mod97 } from '../checksums.ts';
import { isAlphanumericAt, isDigitAt } from '../characters.ts';
import type { Recogniser, Scan } from '../recogniser.ts';

/** Issuer ranges: first digits, from and to, and the lengths in use. */
const CARD_RANGES: readonly (readonly [from: string, to: string, lengths: readonly number[]])[] = [
  ['4', '4', [13, 16, 19]], // Visa
  ['51', '55', [16]], // Mastercard
  ['2221', '2720', [16]],
  ['34', '34', [15]], // American Express
  ['37', '37', [15]],
  ['300', '305', [14, 16]], // Diners Club
  ['3095', '3095', [14, 16]],
  ['36', '36', [14, 16]],
  ['38', '39', [14, 16]],
  ['6011', '6011', [16, 19]], // Discover
  ['644', '649', [16, 19]],
  ['65', '65', [16, 19]],
  ['3528', '3589', [16]], // JCB
  ['62', '62', [16, 17, 18, 19]], // UnionPay
  ['81', '81', [16]],
  ['50', '50', [12, 13, 14, 15, 16, 17, 18, 19]], // Maestro
  ['56', '69', [12, 13, 14, 15, 16, 17, 18, 19]],
  ['220', '220', [16]], // Mir, and what was Mastercard's before 2017
];

/** Whether an issuer gives out numbers that begin and are as long as this one. */
function hasIssuer(digits: string): boolean {
  return CARD_RANGES.some(
    ([from, to, lengths]) =>
      lengths.includes(digits.length) && digits.slice(0, from.length) >= from && digits.slice(0, to.length) <= to,
  );
}

export const creditCard: Recogniser = {
  entity: 'CREDIT_CARD',
  context: 'card, cards, credit, debit, visa, mastercard, amex, maestro, kreditkarte, carte, tarjeta',
  forms: [
    {
      shapes: [
        '9999 9999 9999 9999',
        '9999-9999-9999-9999',
        '9999 999999 99999',
        '9999-999999-99999',
        '9999 999999 9999',
      ],
      evidence: 'unmistakable',
      accepts: (digits) => luhn(digits) && hasIssuer(digits),
    },
    {
      shapes: ['9'.repeat(15), '9'.repeat(16)],
      evidence: 'unmistakable',
      accepts: (digits) => luhn(digits) && hasIssuer(digits),
    },
    {
      shapes: [12, 13, 14, 15, 16, 17, 18, 19].map((length) => '9'.repeat(length)),
      evidence: 'checksum',
      accepts: (digits) => luhn(digits) && !isOneDigit(digits),
    },
  ],
};

/** Length and structure of an IBAN per country (SWIFT registry): `n` digits, `a` capital letters, `c` either, after the check digits. */
const IBAN_STRUCTURES: ReadonlyMap<string, string> = new Map(
  (
    'AD:8n12c AE:19n AL:8n16c AT:16n AZ:4a20c BA:16n BE:12n BG:4a6n8c BH:4a14c BI:23n BR:23n1a1c BY:4c4n16c CH:5n12c CR:18n CY:8n16c ' +
    'CZ:20n DE:18n DJ:23n DK:14n DO:4c20n EE:16n EG:25n ES:20n FI:14n FK:2a12n FO:14n FR:10n11c2n GB:4a14n GE:2a16n GI:4a15c GL:14n ' +
    'GR:7n16c GT:24c HN:4a20n HR:17n HU:24n IE:4a14n IL:19n IQ:4a15n IS:22n IT:1a10n12c JO:4a4n18c KW:4a22c KZ:3n13c LB:4n20c ' +
    'LC:4a24c LI:5n12c LT:16n LU:3n13c LV:4a13c LY:21n MC:10n11c2n MD:20c ME:18n MK:3n10c2n MN:16n MR:23n MT:4a5n18c MU:4a19n3a ' +
    'NI:4a20n NL:4a10n NO:11n OM:3n16c PK:4a16c PL:24n PS:4a21c PT:21n QA:4a21c RO:4a16c RS:18n RU:14n15c SA:2n18c SC:4a20n3a ' +
    'SD:14n SE:20n SI:15n SK:20n SM:1a10n12c SO:19n ST:21n SV:4a20n TL:19n TN:20n TR:6n16c UA:6n19c VA:18n VG:4a16n XK:16n YE:4a4n18c'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), entry.slice(3)] as const),
);

interface IbanStructure {
  readonly length: number;
  readonly fits: (bban: string) => boolean;
}

const IBANS: ReadonlyMap<string, IbanStructure> = new Map(
  [...IBAN_STRUCTURES].map(([country, structure]) => [country, ibanStructure(structure)]),
);

function ibanStructure(structure: string): IbanStructure {
  const classes = [...structure.matchAll(/(\d{1,2})([nac])/g)].map(([, count, kind]) =>
    (kind ?? '').repeat(Number(count)),
  );
  const kinds = classes.join('');
  const fits = (bban: string) => {
    for (let i = 0; i < kinds.length; i++) {
      const isDigit = bban.charCodeAt(i) < 65;
      if ((kinds.charAt(i) === 'n' && !isDigit) || (kinds.charAt(i) === 'a' && isDigit)) return false;
    }
    return true;
  };
  return { length: kinds.length + 4, fits };
}

/** `GB29 NWBK ...` or in one piece; groups are separated by one space or hyphen. */
function findIban(scan: Scan, at: number): void {
  const { bytes } = scan;
  if (!isDigitAt(bytes, at + 2) || !isDigitAt(bytes, at + 3)) return;
  const structure = IBANS.get(bytes.toString('latin1', at, at + 2).toUpperCase());
  if (!structure) return;
  let compact = '';
  let end = at;
  while (compact.length < structure.length && end < scan.length) {
    const byte = bytes[end] ?? 0;
    if (byte < 0x80 && isAlphanumericAt(bytes, end)) compact += String.fromCharCode(byte);
    else if (!((byte === 32 || byte === 45) && isAlphanumericAt(bytes, end + 1))) return;
    end++;
  }
  if (compact.length < structure.length || (end < scan.length && isAlphanumericAt(bytes, end))) return;
  const iban = compact.toUpperCase();
  if (!structure.fits(iban.slice(4)) || mod97(iban.slice(4) + iban.slice(0, 4)) !== 1) return;
  scan.add(at, end, 'IBAN_CODE', 'unmistakable');
}

export const iban: Recogniser = {
  entity: 'IBAN_CODE',
  detectors: [{ trigger: 'word', find: findIban }],
};
