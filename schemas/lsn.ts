import type { Brand } from './brand.ts';

/** A PostgreSQL log sequence number: a byte offset into the write-ahead log. Ordered as a number, never as text. */
export type Lsn = Brand<bigint, 'Lsn'>;

const LSN_PATTERN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

export const ZERO_LSN = 0n as Lsn;

/** Reads `16/B374D848`. Returns undefined for anything else, so that the caller can name the place it came from. */
export function parseLsn(text: string): Lsn | undefined {
  const match = LSN_PATTERN.exec(text);
  if (!match) return undefined;
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

/** Writes an LSN as PostgreSQL prints it: upper-case hexadecimal halves without leading zeros. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}
