import type { Brand } from './brand.ts';

/** A PostgreSQL log sequence number: a byte offset into the write-ahead log. Ordered as a number, never as text. */
export type Lsn = Brand<bigint, 'Lsn'>;

const LSN_PATTERN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** Before every change; PostgreSQL's invalid LSN. */
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

const PAGE_BYTES = 8_192n;
/** Header of a WAL page; the first page of a segment has the long one. */
const SHORT_HEADER_BYTES = 24n;
const LONG_HEADER_BYTES = 40n;
/** The smallest segment that PostgreSQL can be built with; every segment starts at a multiple of it. */
const MIN_SEGMENT_BYTES = 1_048_576n;

/**
 * The position to wait for after `pg_current_wal_insert_lsn()`. When the last record ended exactly at the end of a page, that function
 * answers with the place behind the next page's header, where no record ends before the next one is written: a waiter would wait
 * for a change that nobody has made. Such a place becomes the start of its page, which is where the last record ended.
 */
export function normalizeAfter(lsn: Lsn): Lsn {
  const inPage = lsn % PAGE_BYTES;
  const isBehindShort = inPage === SHORT_HEADER_BYTES;
  const isBehindLong = inPage === LONG_HEADER_BYTES && (lsn - inPage) % MIN_SEGMENT_BYTES === 0n;
  return (isBehindShort || isBehindLong ? lsn - inPage : lsn) as Lsn;
}
