import { CLASS, classAt, DIGIT, HEX, isAlphanumericAt } from '../characters.ts';
import { prefixEnd } from '../prefix-length.ts';
import type { Form, Recogniser, Scan } from '../recogniser.ts';

const COLON = 58;
const DOT = 46;
const HYPHEN = 45;

/** 9.9.9.9 to 999.999.999.999. */
const WIDTHS = ['9', '99', '999'];
const DOTTED = WIDTHS.flatMap((a) =>
  WIDTHS.flatMap((b) => WIDTHS.flatMap((c) => WIDTHS.map((d) => `${a}.${b}.${c}.${d}`))),
);

const isIpv4 = (written: string): boolean =>
  /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(written) &&
  written.split('.').every((octet) => Number(octet) <= 255 && (octet === '0' || !octet.startsWith('0')));

/** Addresses of machines, not of people: loopback, private (RFC 1918), link-local, shared, documentation, multicast, masks. */
function isReservedIpv4(written: string): boolean {
  const [a = 0, b = 0, c = 0] = written.split('.').map(Number);
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true;
  if ((a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32)) return true;
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)))) return true;
  return (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) || (a === 203 && b === 0 && c === 113);
}

/** Fewest digits of four that are an address and not a version: 1.2.3.4 and 2.10.1.0 are versions, and so few addresses are short. */
const MIN_ADDRESS_DIGITS = 8;

const ipv4Forms: readonly Form[] = [
  {
    shapes: DOTTED,
    evidence: 'unmistakable',
    withPrefixLength: 32,
    accepts: (digits, written) => isIpv4(written) && !isReservedIpv4(written) && digits.length >= MIN_ADDRESS_DIGITS,
  },
  { shapes: DOTTED, evidence: 'form', withPrefixLength: 32, joined: true, accepts: (_, written) => isIpv4(written) },
];

/** Longest textual form: eight groups, the last two as IPv4. */
const MAX_IPV6 = 45;

/** The eight groups of an IPv6 address; undefined when the text is not one. */
function ipv6Groups(text: string): readonly string[] | undefined {
  const [head = '', tail, ...rest] = text.split('::');
  if (rest.length > 0) return undefined;
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const groups = [...groupsOf(head), ...groupsOf(tail ?? '')];
  let count = groups.length;
  const last = groups.at(-1) ?? '';
  if (last.includes('.')) {
    if (!isIpv4(last)) return undefined;
    count++;
    groups.pop();
  }
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  if (tail === undefined ? count !== 8 : count > 7) return undefined;
  return groups;
}

/** Addresses of machines: unspecified, loopback, link-local, unique local, multicast, documentation, mapped and translated IPv4. */
const isReservedIpv6 = (text: string): boolean => /^(?:::|fe[89ab]|f[cdf]|2001:0?db8|64:ff9b)/i.test(text);

function findIpv6(scan: Scan, at: number): void {
  const { bytes } = scan;
  const isPart = (i: number) => bytes[i] === COLON || bytes[i] === DOT || (classAt(bytes, i) & HEX) !== 0;
  let start = at;
  while (start > 0 && at - start < 5 && isPart(start - 1)) start--;
  if (start > 0 && (isPart(start - 1) || isAlphanumericAt(bytes, start - 1))) return;
  // Only the first colon of an address looks for it.
  for (let i = start; i < at; i++) if (bytes[i] === COLON) return;
  let end = at;
  while (end < scan.length && end - start <= MAX_IPV6 && isPart(end)) end++;
  while (bytes[end - 1] === DOT || (bytes[end - 1] === COLON && bytes[end - 2] !== COLON)) end--;
  if (end - start < 2 || (end < scan.length && isAlphanumericAt(bytes, end))) return;
  const text = bytes.toString('latin1', start, end);
  const groups = ipv6Groups(text);
  if (!groups) return;
  const isPersonal = !isReservedIpv6(text) && groups.length >= 3 && /\d/.test(text);
  scan.add(start, prefixEnd(bytes, end, 128), 'IP_ADDRESS', isPersonal ? 'unmistakable' : 'form');
}

export const ipAddress: Recogniser = {
  entity: 'IP_ADDRESS',
  context: 'client ip, user ip, visitor, remote addr, caller ip, ip of, customer ip',
  forms: ipv4Forms,
  detectors: [{ trigger: ':', find: findIpv6 }],
};

/** Six groups of two with one separator, or three of four with full stops (Cisco). */
const MAC =
  /^(?:[0-9A-F]{2}(?::[0-9A-F]{2}){5}|[0-9A-F]{2}(?:-[0-9A-F]{2}){5}|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4})$/i;

const MAC_LENGTH = 17;
const CISCO_LENGTH = 14;

function addMac(scan: Scan, start: number, width: number): void {
  const { bytes } = scan;
  const end = start + width;
  if (end > scan.length || (start > 0 && isAlphanumericAt(bytes, start - 1)) || isAlphanumericAt(bytes, end)) return;
  const text = bytes.toString('latin1', start, end);
  const hex = text.replace(/[^0-9A-Fa-f]/g, '');
  if (!MAC.test(text) || /^(?:0{12}|f{12})$/i.test(hex)) return;
  // Three groups of digits alone are a number with separators.
  if (width === CISCO_LENGTH && /^\d{12}$/.test(hex)) return;
  const separator = text.charCodeAt(2);
  if (bytes[start - 1] === separator || (bytes[end] === separator && isAlphanumericAt(bytes, end + 1))) return;
  scan.add(start, end, 'MAC_ADDRESS', 'unmistakable');
}

function findMacByColon(scan: Scan, at: number): void {
  if (scan.bytes[at + 3] === COLON && scan.bytes[at - 3] !== COLON) addMac(scan, at - 2, MAC_LENGTH);
}

function findMacByWord(scan: Scan, at: number): void {
  const { bytes } = scan;
  if (bytes[at + 2] === HYPHEN && bytes[at + 5] === HYPHEN) addMac(scan, at, MAC_LENGTH);
  else if (bytes[at + 4] === DOT && bytes[at + 9] === DOT && (CLASS[bytes[at + 1] ?? 0] ?? 0) & (DIGIT | HEX))
    addMac(scan, at, CISCO_LENGTH);
}

export const macAddress: Recogniser = {
  entity: 'MAC_ADDRESS',
  detectors: [
    { trigger: ':', find: findMacByColon },
    { trigger: 'word', find: findMacByWord },
  ],
};
