import { createHash } from 'node:crypto';
import { classAt, DIGIT, LETTER } from '../characters.ts';
import { keccak256 } from '../keccak.ts';
import type { Recogniser, Scan } from '../recogniser.ts';

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** Version bytes: Bitcoin, Litecoin, Dogecoin, Tron. */
const VERSIONS = new Set([0x00, 0x05, 0x30, 0x32, 0x1e, 0x41]);
const MIN_ADDRESS = 26;
const MAX_ADDRESS = 90;

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** A version byte, 20 bytes of hash, and the first four of its double SHA-256. */
function isBase58Address(text: string): boolean {
  let value = 0n;
  for (const char of text) {
    const digit = BASE58.indexOf(char);
    if (digit < 0) return false;
    value = value * 58n + BigInt(digit);
  }
  const hex = value.toString(16);
  if (hex.length > 50) return false;
  const bytes = Buffer.from(hex.padStart(50, '0'), 'hex');
  if (!VERSIONS.has(bytes[0] ?? -1)) return false;
  return sha256(sha256(bytes.subarray(0, 21)))
    .subarray(0, 4)
    .equals(bytes.subarray(21));
}

const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
/** Final values of the checksum: BIP 173, BIP 350. */
const BECH32_RESULTS = new Set([1, 0x2bc830a3]);

function isBech32Address(text: string): boolean {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return false;
  const separator = lower.lastIndexOf('1');
  const prefix = lower.slice(0, separator);
  const codes = prefix.split('').map((char) => char.charCodeAt(0));
  const values = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
  let check = 1;
  const fold = (value: number) => {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    for (let i = 0; i < 5; i++) if ((top >> i) & 1) check ^= GENERATOR[i] ?? 0;
  };
  values.forEach(fold);
  for (const char of lower.slice(separator + 1)) {
    const value = BECH32.indexOf(char);
    if (value < 0) return false;
    fold(value);
  }
  return BECH32_RESULTS.has(check);
}

/** EIP-55: a letter is a capital where the hash of the lower-case address has a digit of 8 or more. */
function hasEip55Case(address: string): boolean {
  const lower = address.toLowerCase();
  const hash = keccak256(Buffer.from(lower, 'latin1')).toString('hex');
  return address
    .split('')
    .every((char, i) => /\d/.test(char) || (char !== char.toLowerCase()) === Number.parseInt(hash.charAt(i), 16) >= 8);
}

function findWallet(scan: Scan, at: number): void {
  const { bytes } = scan;
  let end = at;
  while (end < scan.length && end - at <= MAX_ADDRESS && classAt(bytes, end) & (DIGIT | LETTER)) end++;
  const length = end - at;
  if (length < MIN_ADDRESS || length > MAX_ADDRESS) return;
  const text = bytes.toString('latin1', at, end);
  if (/^0x[0-9a-fA-F]{40}$/.test(text)) {
    const address = text.slice(2);
    const isMixed = address !== address.toLowerCase() && address !== address.toUpperCase();
    if (!isMixed) scan.add(at, end, 'CRYPTO', 'form');
    else if (hasEip55Case(address)) scan.add(at, end, 'CRYPTO', 'unmistakable');
    return;
  }
  const isWallet = /^(?:bc|tb|ltc)1/i.test(text) ? isBech32Address(text) : length <= 35 && isBase58Address(text);
  if (isWallet) scan.add(at, end, 'CRYPTO', 'unmistakable');
}

export const cryptoWallet: Recogniser = {
  entity: 'CRYPTO',
  context: 'wallet, btc, bitcoin, ethereum, eth, crypto, wallet address',
  detectors: [{ trigger: 'word', find: findWallet }],
};
