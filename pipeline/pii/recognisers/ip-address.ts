import type { Form, Recogniser } from '../recogniser.ts';

/** 9.9.9.9 to 999.999.999.999. */
const DOTTED = ['9', '99', '999'].flatMap((a) =>
  ['9', '99', '999'].flatMap((b) =>
    ['9', '99', '999'].flatMap((c) => ['9', '99', '999'].map((d) => `${a}.${b}.${c}.${d}`)),
  ),
);

const octets = (written: string): readonly number[] => written.split('.').map(Number);

const isAddress = (written: string): boolean =>
  written.split('.').every((octet) => Number(octet) <= 255 && (octet === '0' || !octet.startsWith('0')));

/** Addresses of machines, not of people: loopback, private (RFC 1918), link-local, shared, documentation, multicast, masks. */
function isReserved(written: string): boolean {
  const [a = 0, b = 0, c = 0] = octets(written);
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true;
  if ((a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32)) return true;
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)))) return true;
  return (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) || (a === 203 && b === 0 && c === 113);
}

const forms: readonly Form[] = [
  { shapes: DOTTED, evidence: 'unmistakable', accepts: (_, written) => isAddress(written) && !isReserved(written) },
  { shapes: DOTTED, evidence: 'form', accepts: (_, written) => isAddress(written) },
];

export const ipAddress: Recogniser = {
  entity: 'IP_ADDRESS',
  context: 'client ip, user ip, visitor, remote addr',
  forms,
};
