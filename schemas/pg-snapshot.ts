const TRANSACTIONS = 1n << 32n;
const HALF = 1n << 31n;

/**
 * Whether a snapshot of PostgreSQL sees what a transaction did, given that it did commit.
 * @param snapshot as `pg_current_snapshot()` prints it: `xmin:xmax:xip,...`
 * @param xid the transaction's number as a stream gives it, without the count of its wraps; less than 2^31 transactions away
 */
export function sees(snapshot: string, xid: number): boolean {
  const [xmin = '0', xmax = '0', running = ''] = snapshot.split(':');
  const end = BigInt(xmax);
  // The number among those near the end of the snapshot that looks the same in 32 bits.
  const ahead = (BigInt(xid) - end) & (TRANSACTIONS - 1n);
  const whole = end + (ahead < HALF ? ahead : ahead - TRANSACTIONS);
  if (whole < BigInt(xmin)) return true;
  return whole < end && !running.split(',').includes(whole.toString());
}
