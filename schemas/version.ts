import type { Brand } from './brand.ts';
import type { Lsn } from './lsn.ts';

/**
 * Source commit position of one document; grows with every change of that document. 63 bits: `epoch << 55 | position`.
 * Compared, never parsed. A bigint in code and a decimal string on the wire, because `JSON.parse` rounds above 2^53.
 */
export type SourceVersion = Brand<bigint, 'SourceVersion'>;

/** Bits below the epoch. 2^55 bytes of WAL are 32 PB. */
export const POSITION_BITS = 55n;
/** Highest epoch that fits above the position in 63 bits. */
export const MAX_EPOCH = 255;
const MAX_VERSION = (1n << 63n) - 1n;

/**
 * The version of a change: the epoch rises with every re-snapshot, restore or failover of the source, so that a position
 * that went back can never make a document go back (I3).
 * @throws RangeError when the epoch or the position does not fit; the source must then be rebuilt under a new name.
 */
export function sourceVersion(epoch: number, position: bigint | Lsn): SourceVersion {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > MAX_EPOCH)
    throw new RangeError(`epoch ${epoch} is outside 0..${MAX_EPOCH}`);
  if (position < 0n || position >> POSITION_BITS !== 0n)
    throw new RangeError(`position ${position} does not fit ${POSITION_BITS} bits`);
  return ((BigInt(epoch) << POSITION_BITS) | position) as SourceVersion;
}

/** The epoch that a version belongs to. */
export function epochOfVersion(version: SourceVersion): number {
  return Number(version >> POSITION_BITS);
}

/** Whether a version is that of a row that was read, not of a change: it has no position within its epoch. */
export function isSnapshotVersion(version: SourceVersion): boolean {
  return snapshotVersion(version) === version;
}

/** The lowest version in the epoch of another one: what rows of its snapshot have. */
export function snapshotVersion(version: SourceVersion): SourceVersion {
  return ((version >> POSITION_BITS) << POSITION_BITS) as SourceVersion;
}

/** Reads the decimal form from the wire; undefined when it is not one. */
export function parseVersion(text: string): SourceVersion | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= MAX_VERSION ? (value as SourceVersion) : undefined;
}
