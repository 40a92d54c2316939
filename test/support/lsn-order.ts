import { parseLsn } from '../../schemas/lsn.ts';

/** Orders two positions as PostgreSQL prints them; negative when `a` comes first. */
export function compareLsn(a: string, b: string): number {
  const [left, right] = [parseLsn(a), parseLsn(b)];
  if (left === undefined || right === undefined) throw new TypeError('not a position of PostgreSQL');
  return left < right ? -1 : left > right ? 1 : 0;
}
