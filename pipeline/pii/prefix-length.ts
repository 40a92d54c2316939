import { isAlphanumericAt, isDigitAt } from './characters.ts';

const SLASH = 47;

/** End of `/24` behind an address; `end` when none stands there. */
export function prefixEnd(bytes: Buffer, end: number, longest: number): number {
  if (bytes[end] !== SLASH) return end;
  let stop = end + 1;
  while (stop - end < 5 && isDigitAt(bytes, stop)) stop++;
  const bits = bytes.toString('latin1', end + 1, stop);
  return /^\d{1,3}$/.test(bits) && Number(bits) <= longest && !isAlphanumericAt(bytes, stop) ? stop : end;
}
